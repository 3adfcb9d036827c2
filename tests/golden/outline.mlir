// RUN: tensorc opt %s --outline

// Two groups that differ in a constant: the kernel is given it.
// CHECK-LABEL: sym_name = "f.group0"
// CHECK-NEXT:  ^bb0(%[[X:.*]]: memref<4xf32>, %[[Y:.*]]: memref<4xf32>, %[[C:.*]]: f32):
// CHECK-NEXT:    "tc.group"(%[[X]], %[[Y]], %[[C]])
// CHECK-NEXT:    ^bb0(%{{.*}}: memref<4xf32>, %{{.*}}: memref<4xf32>, %[[GIVEN:.*]]: f32):
// CHECK:           "arith.mulf"(%{{.*}}, %[[GIVEN]])
// CHECK:       tc.kernel = true
// CHECK-LABEL: sym_name = "f"
// CHECK-NOT:     "tc.group"(%x, %{{.*}})
// CHECK:         %[[A:.*]] = "arith.constant"() <{value = 0.25 : f32}>
// CHECK-NEXT:    "func.call"(%x, %result, %[[A]]) <{callee = @f.group0}>
// CHECK-NEXT:    %[[B:.*]] = "arith.constant"() <{value = 0.75 : f32}>
// CHECK-NEXT:    "func.call"(%x, %result_1, %[[B]]) <{callee = @f.group0}>
// In place: the operands are one memory, so it is another kernel.
// CHECK-NEXT:    "tc.group"(%result, %result)
"builtin.module"() ({
  "func.func"() <{function_type = (memref<4xf32>, memref<4xf32>, memref<4xf32>, memref<?xi8>) -> (), sym_name = "f"}> ({
  ^bb0(%x: memref<4xf32>, %result: memref<4xf32>, %result_1: memref<4xf32>, %arena: memref<?xi8>):
    "tc.group"(%x, %result) <{outer = 0 : i64, shapes = [#tc.dims<[4]>, #tc.dims<[4]>]}> ({
    ^bb0(%a: memref<4xf32>, %b: memref<4xf32>):
      "linalg.generic"(%a, %b) <{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = [#linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%c: f32, %d: f32):
        %0 = "arith.constant"() <{value = 0.25 : f32}> : () -> f32
        %1 = "arith.mulf"(%c, %0) : (f32, f32) -> f32
        "linalg.yield"(%1) : (f32) -> ()
      }) {tc.place = ["memory"], tc.stage = 0 : i64} : (memref<4xf32>, memref<4xf32>) -> ()
      "tc.yield"() : () -> ()
    }) {tc.schedule = {}} : (memref<4xf32>, memref<4xf32>) -> ()
    "tc.group"(%x, %result_1) <{outer = 0 : i64, shapes = [#tc.dims<[4]>, #tc.dims<[4]>]}> ({
    ^bb0(%e: memref<4xf32>, %f: memref<4xf32>):
      "linalg.generic"(%e, %f) <{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = [#linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%g: f32, %h: f32):
        %2 = "arith.constant"() <{value = 0.75 : f32}> : () -> f32
        %3 = "arith.mulf"(%g, %2) : (f32, f32) -> f32
        "linalg.yield"(%3) : (f32) -> ()
      }) {tc.place = ["memory"], tc.stage = 0 : i64} : (memref<4xf32>, memref<4xf32>) -> ()
      "tc.yield"() : () -> ()
    }) {tc.schedule = {}} : (memref<4xf32>, memref<4xf32>) -> ()
    "tc.group"(%result, %result) <{outer = 0 : i64, shapes = [#tc.dims<[4]>, #tc.dims<[4]>]}> ({
    ^bb0(%i: memref<4xf32>, %j: memref<4xf32>):
      "linalg.generic"(%i, %j) <{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = [#linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%k: f32, %l: f32):
        %4 = "arith.constant"() <{value = 0.5 : f32}> : () -> f32
        %5 = "arith.mulf"(%k, %4) : (f32, f32) -> f32
        "linalg.yield"(%5) : (f32) -> ()
      }) {tc.place = ["memory"], tc.stage = 0 : i64} : (memref<4xf32>, memref<4xf32>) -> ()
      "tc.yield"() : () -> ()
    }) {tc.schedule = {}} : (memref<4xf32>, memref<4xf32>) -> ()
    "func.return"() : () -> ()
  }) {tc.arena = #tc.dims<[0]>, tc.shapes = [#tc.dims<[4]>, #tc.dims<[4]>, #tc.dims<[4]>], tc.symbols = []} : () -> ()
}) : () -> ()
