// RUN: tensorc opt %s --plan-memory

// One arena for all buffers, with a formula for its bytes.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %arena: memref<?xi8>
// CHECK-NOT:   "memref.alloc"
// CHECK:       %{{.*}} = "memref.view"(%arena, %{{.*}}) : (memref<?xi8>, index, index) -> memref<?x4xf32>
// CHECK:       %{{.*}} = "memref.view"(%arena, %{{.*}}) : (memref<?xi8>, index) -> memref<4xf32>
// CHECK:       tc.arena = #tc.dims<["64*floordiv(16*B + 63, 64) + 64"]>
"builtin.module"() ({
  "func.func"() <{function_type = (memref<?x4xf32>, memref<?x4xf32>, index) -> (), sym_name = "f"}> ({
  ^bb0(%x: memref<?x4xf32>, %result: memref<?x4xf32>, %B: index):
    %0 = "tc.size"() <{dim = #tc.dims<["B"]>}> : () -> index
    %1 = "memref.alloc"(%0) <{operandSegmentSizes = array<i32: 1, 0>}> : (index) -> memref<?x4xf32>
    "tc.group"(%x, %1) <{outer = 1 : i64, shapes = [#tc.dims<["B", 4]>, #tc.dims<["B", 4]>]}> ({
    ^bb0(%x_1: memref<?x4xf32>, %arg0: memref<?x4xf32>):
      "linalg.generic"(%x_1, %arg0) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%arg1: f32, %arg2: f32):
        %2 = "math.exp"(%arg1) : (f32) -> f32
        "linalg.yield"(%2) : (f32) -> ()
      }) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
      "tc.yield"() : () -> ()
    }) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
    %3 = "memref.alloc"() <{operandSegmentSizes = array<i32: 0, 0>}> : () -> memref<4xf32>
    "tc.group"(%1, %3) <{outer = 0 : i64, shapes = [#tc.dims<["B", 4]>, #tc.dims<[4]>]}> ({
    ^bb0(%arg3: memref<?x4xf32>, %arg4: memref<4xf32>):
      %4 = "arith.constant"() <{value = -0.0 : f32}> : () -> f32
      "linalg.fill"(%4, %arg4) <{operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%arg5: f32, %arg6: f32):
        "linalg.yield"(%arg5) : (f32) -> ()
      }) : (f32, memref<4xf32>) -> ()
      "linalg.generic"(%arg3, %arg4) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = [#linalg.iterator_type<reduction>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%arg7: f32, %arg8: f32):
        %5 = "arith.addf"(%arg8, %arg7) : (f32, f32) -> f32
        "linalg.yield"(%5) : (f32) -> ()
      }) {tc.order = "lanes"} : (memref<?x4xf32>, memref<4xf32>) -> ()
      "tc.yield"() : () -> ()
    }) : (memref<?x4xf32>, memref<4xf32>) -> ()
    "tc.group"(%1, %3, %result) <{outer = 1 : i64, shapes = [#tc.dims<["B", 4]>, #tc.dims<[4]>, #tc.dims<["B", 4]>]}> ({
    ^bb0(%arg9: memref<?x4xf32>, %arg10: memref<4xf32>, %arg11: memref<?x4xf32>):
      "linalg.generic"(%arg9, %arg10, %arg11) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 2, 1>}> ({
      ^bb0(%arg12: f32, %arg13: f32, %arg14: f32):
        %6 = "arith.divf"(%arg12, %arg13) : (f32, f32) -> f32
        "linalg.yield"(%6) : (f32) -> ()
      }) : (memref<?x4xf32>, memref<4xf32>, memref<?x4xf32>) -> ()
      "tc.yield"() : () -> ()
    }) : (memref<?x4xf32>, memref<4xf32>, memref<?x4xf32>) -> ()
    "func.return"() : () -> ()
  }) {tc.shapes = [#tc.dims<["B", 4]>, #tc.dims<["B", 4]>], tc.symbols = ["B"]} : () -> ()
}) : () -> ()
