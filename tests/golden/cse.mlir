// RUN: tensorc opt %s --cse

// The second exp is the first one; the negation of another value stays.
// CHECK-LABEL: sym_name = "twice"
// CHECK:       %[[E:.*]] = "tc.exp"(%x)
// CHECK-NOT:   "tc.exp"
// CHECK:       "tc.add"(%[[E]], %[[E]])
"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "twice"}> ({
^bb0(%x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "tc.add"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%2) : (tensor<4xf32>) -> ()
}) : () -> ()

// a + b is b + a, and max(-0, +0) is max(+0, -0); a - b is not b - a.
// CHECK-LABEL: sym_name = "order"
// CHECK:       %[[S:.*]] = "tc.add"(%x, %y)
// CHECK-NOT:   "tc.add"(%y, %x)
// CHECK:       %[[M:.*]] = "tc.maximum"(%x, %y)
// CHECK-DAG:   %[[D:.*]] = "tc.sub"(%x, %y)
// CHECK-DAG:   %[[E:.*]] = "tc.sub"(%y, %x)
// CHECK:       "func.return"(%[[S]], %[[S]], %[[M]], %[[M]], %[[D]], %[[E]])
"func.func"() <{function_type = (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>), sym_name = "order"}> ({
^bb0(%x: tensor<f32>, %y: tensor<f32>):
  %0 = "tc.add"(%x, %y) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %1 = "tc.add"(%y, %x) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %2 = "tc.maximum"(%x, %y) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %3 = "tc.maximum"(%y, %x) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %4 = "tc.sub"(%x, %y) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %5 = "tc.sub"(%y, %x) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  "func.return"(%0, %1, %2, %3, %4, %5) : (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ()
}) : () -> ()
