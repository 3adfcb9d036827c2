// RUN: tensorc opt %s --autodiff --simplify --dce

// d/dw sum(w*w) = w + w, and nothing of tc.grad is left.
// CHECK-LABEL: sym_name = "square"
// CHECK-NOT:   "tc.grad"
// CHECK:       %[[G:.*]] = "tc.add"(%w, %w)
// CHECK-NEXT:  "func.return"(%[[G]])
"func.func"() <{function_type = (tensor<3xf32>) -> tensor<3xf32>, sym_name = "square"}> ({
^bb0(%w: tensor<3xf32>):
  %0 = "tc.grad"(%w) ({
  ^bb0(%v: tensor<3xf32>):
    %1 = "tc.mul"(%v, %v) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %2 = "tc.sum"(%1) <{axis = 0 : i64, order = "lanes"}> : (tensor<3xf32>) -> tensor<f32>
    "tc.yield"(%2) : (tensor<f32>) -> ()
  }) : (tensor<3xf32>) -> tensor<3xf32>
  "func.return"(%0) : (tensor<3xf32>) -> ()
}) : () -> ()

// No path leads from w to the cost: zeros.
// CHECK-LABEL: sym_name = "apart"
// CHECK:       "tc.constant"() <{value = dense<0.0> : tensor<f32>}>
"func.func"() <{function_type = (tensor<f32>, tensor<f32>) -> tensor<f32>, sym_name = "apart"}> ({
^bb0(%w: tensor<f32>, %x: tensor<f32>):
  %0 = "tc.grad"(%w) ({
  ^bb0(%v: tensor<f32>):
    %1 = "tc.exp"(%x) : (tensor<f32>) -> tensor<f32>
    "tc.yield"(%1) : (tensor<f32>) -> ()
  }) : (tensor<f32>) -> tensor<f32>
  "func.return"(%0) : (tensor<f32>) -> ()
}) : () -> ()
