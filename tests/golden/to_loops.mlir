// RUN: tensorc opt %s --to-loops
// NOTE: these checks are written by TENSORC_UPDATE_GOLDEN=1
"builtin.module"() ({
  "func.func"() <{function_type = (memref<?x4xf32>, memref<?x4xf32>, memref<?xi8>, index) -> (), sym_name = "f"}> ({
  ^bb0(%x: memref<?x4xf32>, %result: memref<?x4xf32>, %arena: memref<?xi8>, %B: index):
    "tc.group"(%x, %result) <{outer = 1 : i64, shapes = [#tc.dims<["B", 4]>, #tc.dims<["B", 4]>]}> ({
    ^bb0(%x_1: memref<?x4xf32>, %arg0: memref<?x4xf32>):
      "linalg.generic"(%x_1, %arg0) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%arg1: f32, %arg2: f32):
        %0 = "arith.negf"(%arg1) : (f32) -> f32
        "linalg.yield"(%0) : (f32) -> ()
      }) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
      "tc.yield"() : () -> ()
    }) {tc.schedule = {rows = #tc.dims<[48]>}} : (memref<?x4xf32>, memref<?x4xf32>) -> ()
    "func.return"() : () -> ()
  }) {tc.arena = #tc.dims<[0]>, tc.shapes = [#tc.dims<["B", 4]>, #tc.dims<["B", 4]>], tc.symbols = ["B"]} : () -> ()
}) : () -> ()

// CHECK-LABEL: sym_name = "f.k0"
// CHECK-NEXT:    ^bb0(%x: memref<?xf32>, %result: memref<?xf32>, %B: index, %begin: index, %end: index, %scratch: memref<?xi8>):
// CHECK-NEXT:      %0 = "arith.constant"() <{value = 1 : index}> : () -> index
// CHECK-NEXT:      %1 = "arith.constant"() <{value = 4 : index}> : () -> index
// CHECK-NEXT:      %2 = "arith.constant"() <{value = 48 : index}> : () -> index
// CHECK-NEXT:      %3 = "arith.constant"() <{value = 0 : index}> : () -> index
// CHECK-NEXT:      %4 = "vector.create_mask"(%1) : (index) -> vector<16xi1>
// CHECK-NEXT:      %5 = "arith.constant"() <{value = 0.0 : f32}> : () -> f32
// CHECK-NEXT:      %6 = "vector.broadcast"(%5) : (f32) -> vector<16xf32>
// CHECK-NEXT:      "scf.for"(%begin, %end, %0) ({
// CHECK-NEXT:      ^bb0(%arg0: index):
// CHECK-NEXT:        %7 = "arith.muli"(%arg0, %2) : (index, index) -> index
// CHECK-NEXT:        %8 = "arith.addi"(%7, %2) : (index, index) -> index
// CHECK-NEXT:        %9 = "arith.minsi"(%8, %B) : (index, index) -> index
// CHECK-NEXT:        "scf.for"(%7, %9, %0) ({
// CHECK-NEXT:        ^bb0(%arg1: index):
// CHECK-NEXT:          %10 = "arith.muli"(%arg1, %1) : (index, index) -> index
// CHECK-NEXT:          %11 = "vector.maskedload"(%x, %10, %4, %6) : (memref<?xf32>, index, vector<16xi1>, vector<16xf32>) -> vector<16xf32>
// CHECK-NEXT:          %12 = "arith.negf"(%11) : (vector<16xf32>) -> vector<16xf32>
// CHECK-NEXT:          %13 = "arith.muli"(%arg1, %1) : (index, index) -> index
// CHECK-NEXT:          "vector.maskedstore"(%result, %13, %4, %12) : (memref<?xf32>, index, vector<16xi1>, vector<16xf32>) -> ()
// CHECK-NEXT:          "scf.yield"() : () -> ()
// CHECK-NEXT:        }) : (index, index, index) -> ()
// CHECK-NEXT:        "scf.yield"() : () -> ()
// CHECK-NEXT:      }) : (index, index, index) -> ()
// CHECK-NEXT:      "func.return"() : () -> ()
// CHECK-LABEL: sym_name = "f"
// CHECK-NEXT:    ^bb0(%x: memref<?xf32>, %result: memref<?xf32>, %arena: memref<?xi8>, %scratch: memref<?xi8>, %B: index):
// CHECK-NEXT:      %0 = "arith.constant"() <{value = 0 : index}> : () -> index
// CHECK-NEXT:      %1 = "arith.constant"() <{value = 1 : index}> : () -> index
// CHECK-NEXT:      %2 = "arith.constant"() <{value = 47 : index}> : () -> index
// CHECK-NEXT:      %3 = "arith.addi"(%B, %2) : (index, index) -> index
// CHECK-NEXT:      %4 = "arith.constant"() <{value = 48 : index}> : () -> index
// CHECK-NEXT:      %5 = "arith.floordivsi"(%3, %4) : (index, index) -> index
// CHECK-NEXT:      %6 = "arith.constant"() <{value = 4 : index}> : () -> index
// CHECK-NEXT:      %7 = "arith.muli"(%6, %B) : (index, index) -> index
// CHECK-NEXT:      "tc.launch"(%x, %result, %B, %5, %7, %scratch) <{callee = @f.k0}> : (memref<?xf32>, memref<?xf32>, index, index, index, memref<?xi8>) -> ()
// CHECK-NEXT:      "func.return"() : () -> ()
