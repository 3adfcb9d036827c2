// RUN: tensorc opt %s --stabilize --dce

// log(exp(x) / sum(exp(x))) overflows; log_softmax does not.
// CHECK-LABEL: sym_name = "softmax"
// CHECK:       %[[L:.*]] = "tc.log_softmax"(%x) <{axis = 1 : i64}>
// CHECK-NEXT:  "func.return"(%[[L]])
"func.func"() <{function_type = (tensor<4x3xf32>) -> tensor<4x3xf32>, sym_name = "softmax"}> ({
^bb0(%x: tensor<4x3xf32>):
  %0 = "tc.exp"(%x) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = "tc.sum"(%0) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<4x3xf32>) -> tensor<4xf32>
  %2 = "tc.broadcast"(%1) <{axes = array<i64: 0>, shape = #tc.dims<[4, 3]>}> : (tensor<4xf32>) -> tensor<4x3xf32>
  %3 = "tc.div"(%0, %2) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %4 = "tc.log"(%3) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  "func.return"(%4) : (tensor<4x3xf32>) -> ()
}) : () -> ()

// A logarithm of another quotient is what it is.
// CHECK-LABEL: sym_name = "ratio"
// CHECK:       "tc.div"
// CHECK-NEXT:  "tc.log"
"func.func"() <{function_type = (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, sym_name = "ratio"}> ({
^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
  %0 = "tc.div"(%x, %y) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.log"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%1) : (tensor<4xf32>) -> ()
}) : () -> ()

// 1 less a sigmoid is one, too, and its logarithm a softplus.
// CHECK-LABEL: sym_name = "rest"
// CHECK:       %[[S:.*]] = "tc.softplus"
// CHECK-NEXT:  %[[N:.*]] = "tc.neg"(%[[S]])
// CHECK-NEXT:  "func.return"(%[[N]])
"func.func"() <{function_type = (tensor<f32>) -> tensor<f32>, sym_name = "rest"}> ({
^bb0(%x: tensor<f32>):
  %0 = "tc.constant"() <{value = dense<1.0> : tensor<f32>}> : () -> tensor<f32>
  %1 = "tc.sigmoid"(%x) : (tensor<f32>) -> tensor<f32>
  %2 = "tc.sub"(%0, %1) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %3 = "tc.log"(%2) : (tensor<f32>) -> tensor<f32>
  "func.return"(%3) : (tensor<f32>) -> ()
}) : () -> ()
