// RUN: tensorc opt %s --simplify --dce

// CHECK-LABEL: sym_name = "exact"
// CHECK:       %[[S:.*]] = "tc.sub"(%y, %x)
// CHECK-NEXT:  "func.return"(%[[S]])
"func.func"() <{function_type = (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, sym_name = "exact"}> ({
^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
  %0 = "tc.neg"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.add"(%y, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%1) : (tensor<4xf32>) -> ()
}) : () -> ()

// What is not true of all floats stays: -0 + 0 is +0, NaN - NaN is NaN, inf * 0 is NaN.
// CHECK-LABEL: sym_name = "not_exact"
// CHECK:       "tc.add"
// CHECK-NEXT:  "tc.sub"
// CHECK-NEXT:  "tc.mul"
// CHECK-NEXT:  "func.return"
"func.func"() <{function_type = (tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>), sym_name = "not_exact"}> ({
^bb0(%x: tensor<f32>):
  %0 = "tc.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %1 = "tc.add"(%x, %0) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %2 = "tc.sub"(%x, %x) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %3 = "tc.mul"(%x, %0) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  "func.return"(%1, %2, %3) : (tensor<f32>, tensor<f32>, tensor<f32>) -> ()
}) : () -> ()
