// RUN: tensorc opt %s --tidy
// RUN: tensorc opt %s --simplify
// RUN: tensorc opt %s --tidy --stabilize --simplify --dce

// What changes nothing goes; a sum of one element stays for `stabilize`, which knows a
// softmax by it.
// CHECK-LABEL: sym_name = "f"
// CHECK-NOT:   "tc.neg"
// CHECK:       "tc.sum"
// CHECK-LABEL: sym_name = "f"
// CHECK-NOT:   "tc.neg"
// CHECK-NOT:   "tc.sum"
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[S:.*]] = "tc.log_softmax"(%x)
// CHECK-NEXT:  "func.return"(%[[S]])
"func.func"() <{function_type = (tensor<4x1xf32>) -> tensor<4x1xf32>, sym_name = "f"}> ({
^bb0(%x: tensor<4x1xf32>):
  %0 = "tc.neg"(%x) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %1 = "tc.neg"(%0) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %2 = "tc.exp"(%1) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %3 = "tc.sum"(%2) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<4x1xf32>) -> tensor<4xf32>
  %4 = "tc.broadcast"(%3) <{axes = array<i64: 0>, shape = #tc.dims<[4, 1]>}> : (tensor<4xf32>) -> tensor<4x1xf32>
  %5 = "tc.div"(%2, %4) : (tensor<4x1xf32>, tensor<4x1xf32>) -> tensor<4x1xf32>
  %6 = "tc.log"(%5) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  "func.return"(%6) : (tensor<4x1xf32>) -> ()
}) : () -> ()
