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

// What stands before a branch is taken from there, as a capture; of what stands in both
// branches alone, none is moved out. The same choice twice is one.
// CHECK-LABEL: sym_name = "branch"
// CHECK:       %[[E:.*]] = "tc.exp"(%x)
// CHECK:       %[[R:.*]] = "tc.if"(%c, %x, %[[E]]) ({
// CHECK-NEXT:  ^bb0(%[[X:.*]]: tensor<4xf32>, %[[F:.*]]: tensor<4xf32>):
// CHECK-NEXT:  %[[L:.*]] = "tc.log"(%[[X]])
// CHECK-NEXT:  %[[S:.*]] = "tc.add"(%[[F]], %[[L]])
// CHECK-NEXT:  "tc.yield"(%[[S]])
// CHECK-NEXT:  }, {
// CHECK:       %[[L:.*]] = "tc.log"
// CHECK-NEXT:  "tc.yield"(%[[L]])
// CHECK:       "func.return"(%[[E]], %[[R]], %[[R]])
"func.func"() <{function_type = (tensor<i1>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>), sym_name = "branch"}> ({
^bb0(%c: tensor<i1>, %x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.if"(%c, %x) ({
  ^bb0(%x_1: tensor<4xf32>):
    %2 = "tc.exp"(%x_1) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = "tc.log"(%x_1) : (tensor<4xf32>) -> tensor<4xf32>
    %4 = "tc.add"(%2, %3) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    "tc.yield"(%4) : (tensor<4xf32>) -> ()
  }, {
  ^bb0(%x_2: tensor<4xf32>):
    %5 = "tc.log"(%x_2) : (tensor<4xf32>) -> tensor<4xf32>
    "tc.yield"(%5) : (tensor<4xf32>) -> ()
  }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  %6 = "tc.if"(%c, %x) ({
  ^bb0(%x_3: tensor<4xf32>):
    %7 = "tc.log"(%x_3) : (tensor<4xf32>) -> tensor<4xf32>
    %8 = "tc.exp"(%x_3) : (tensor<4xf32>) -> tensor<4xf32>
    %9 = "tc.add"(%7, %8) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    "tc.yield"(%9) : (tensor<4xf32>) -> ()
  }, {
  ^bb0(%x_4: tensor<4xf32>):
    %10 = "tc.log"(%x_4) : (tensor<4xf32>) -> tensor<4xf32>
    "tc.yield"(%10) : (tensor<4xf32>) -> ()
  }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%0, %1, %6) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> ()
}) : () -> ()
