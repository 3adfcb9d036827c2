// RUN: tensorc opt %s --dce

// CHECK-LABEL: sym_name = "unused"
// CHECK-NOT:   "tc.exp"
// CHECK:       %[[N:.*]] = "tc.neg"(%x)
// CHECK-NEXT:  "func.return"(%[[N]])
"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "unused"}> ({
^bb0(%x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.log"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "tc.neg"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%2) : (tensor<4xf32>) -> ()
}) : () -> ()

// Of a branch, a result that nobody uses goes, and with it what only it captured.
// CHECK-LABEL: sym_name = "branch"
// CHECK-NEXT:  ^bb0(
// CHECK-NEXT:  %[[R:.*]] = "tc.if"(%c, %x) ({
// CHECK-NEXT:  ^bb0(%[[X:.*]]: tensor<4xf32>):
// CHECK-NEXT:  "tc.yield"(%[[X]])
// CHECK-NEXT:  }, {
// CHECK-NEXT:  ^bb0(%[[X:.*]]: tensor<4xf32>):
// CHECK-NEXT:  %[[N:.*]] = "tc.neg"(%[[X]])
// CHECK-NEXT:  "tc.yield"(%[[N]])
// CHECK-NEXT:  }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:  "func.return"(%[[R]])
"func.func"() <{function_type = (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>, sym_name = "branch"}> ({
^bb0(%c: tensor<i1>, %x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1:2 = "tc.if"(%c, %0, %x) ({
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    "tc.yield"(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> ()
  }, {
  ^bb0(%a_1: tensor<4xf32>, %b_1: tensor<4xf32>):
    %2 = "tc.neg"(%b_1) : (tensor<4xf32>) -> tensor<4xf32>
    "tc.yield"(%a_1, %2) : (tensor<4xf32>, tensor<4xf32>) -> ()
  }) : (tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  "func.return"(%1#1) : (tensor<4xf32>) -> ()
}) : () -> ()
