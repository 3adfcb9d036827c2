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

// A known condition keeps one region, also where the outer branch says what it is; what
// both regions give back is no choice.
// CHECK-LABEL: sym_name = "branch"
// CHECK-NEXT:  ^bb0(
// CHECK-NEXT:  %[[R:.*]] = "tc.if"(%c, %x) ({
// CHECK-NEXT:  ^bb0(%[[X:.*]]: tensor<f32>):
// CHECK-NEXT:  %[[E:.*]] = "tc.exp"(%[[X]])
// CHECK-NEXT:  "tc.yield"(%[[E]])
// CHECK-NEXT:  }, {
// CHECK-NEXT:  ^bb0(%[[X:.*]]: tensor<f32>):
// CHECK-NEXT:  "tc.yield"(%[[X]])
// CHECK-NEXT:  })
// CHECK-NEXT:  "func.return"(%[[R]], %x)
"func.func"() <{function_type = (tensor<i1>, tensor<f32>) -> (tensor<f32>, tensor<f32>), sym_name = "branch"}> ({
^bb0(%c: tensor<i1>, %x: tensor<f32>):
  %0:2 = "tc.if"(%c, %c, %x) ({
  ^bb0(%d: tensor<i1>, %y: tensor<f32>):
    %1 = "tc.if"(%d, %y) ({
    ^bb0(%z: tensor<f32>):
      %2 = "tc.exp"(%z) : (tensor<f32>) -> tensor<f32>
      "tc.yield"(%2) : (tensor<f32>) -> ()
    }, {
    ^bb0(%z_1: tensor<f32>):
      %3 = "tc.log"(%z_1) : (tensor<f32>) -> tensor<f32>
      "tc.yield"(%3) : (tensor<f32>) -> ()
    }) : (tensor<i1>, tensor<f32>) -> tensor<f32>
    "tc.yield"(%1, %y) : (tensor<f32>, tensor<f32>) -> ()
  }, {
  ^bb0(%d_1: tensor<i1>, %y_1: tensor<f32>):
    "tc.yield"(%y_1, %y_1) : (tensor<f32>, tensor<f32>) -> ()
  }) : (tensor<i1>, tensor<i1>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
  "func.return"(%0#0, %0#1) : (tensor<f32>, tensor<f32>) -> ()
}) : () -> ()
