// RUN: tensorc opt %s --expand-math

// No call into a library is left; what is arithmetic already stays.
// CHECK-LABEL: sym_name = "f"
// CHECK-NOT:   "math.exp"
// CHECK:       "math.fma"
// CHECK-NOT:   "math.exp"
// CHECK:       "memref.store"
// CHECK-LABEL: sym_name = "g"
// CHECK:       %[[X:.*]] = "memref.load"
// CHECK-NEXT:  %[[Y:.*]] = "arith.negf"(%[[X]])
// CHECK-NEXT:  "memref.store"(%[[Y]]
"func.func"() <{function_type = (memref<?xf32>) -> (), sym_name = "f"}> ({
^bb0(%x: memref<?xf32>):
  %0 = "arith.constant"() <{value = 0 : index}> : () -> index
  %1 = "memref.load"(%x, %0) : (memref<?xf32>, index) -> f32
  %2 = "math.exp"(%1) : (f32) -> f32
  "memref.store"(%2, %x, %0) : (f32, memref<?xf32>, index) -> ()
  "func.return"() : () -> ()
}) : () -> ()
"func.func"() <{function_type = (memref<?xf32>) -> (), sym_name = "g"}> ({
^bb0(%x: memref<?xf32>):
  %0 = "arith.constant"() <{value = 0 : index}> : () -> index
  %1 = "memref.load"(%x, %0) : (memref<?xf32>, index) -> f32
  %2 = "arith.negf"(%1) : (f32) -> f32
  "memref.store"(%2, %x, %0) : (f32, memref<?xf32>, index) -> ()
  "func.return"() : () -> ()
}) : () -> ()
