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
    %2 = "tc.sum"(%1) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<3xf32>) -> tensor<f32>
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

// The tangent of sum(w * x): each operand's tangent by the other, added up.
// CHECK-LABEL: sym_name = "tangent"
// CHECK-NOT:   "tc.jvp"
// CHECK-DAG:   %[[A:.*]] = "tc.mul"(%dw, %x)
// CHECK-DAG:   %[[B:.*]] = "tc.mul"(%dx, %w)
// CHECK:       %[[S:.*]] = "tc.add"(%[[A]], %[[B]])
// CHECK-NEXT:  %[[T:.*]] = "tc.sum"(%[[S]])
// CHECK-NEXT:  "func.return"(%[[T]])
"func.func"() <{function_type = (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<f32>, sym_name = "tangent"}> ({
^bb0(%w: tensor<3xf32>, %x: tensor<3xf32>, %dw: tensor<3xf32>, %dx: tensor<3xf32>):
  %0 = "tc.jvp"(%w, %x, %dw, %dx) ({
  ^bb0(%v: tensor<3xf32>, %u: tensor<3xf32>):
    %1 = "tc.mul"(%v, %u) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %2 = "tc.sum"(%1) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<3xf32>) -> tensor<f32>
    "tc.yield"(%2) : (tensor<f32>) -> ()
  }) : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<f32>
  "func.return"(%0) : (tensor<f32>) -> ()
}) : () -> ()

// Of a linear op the tangent is the op on the tangent, the cotangent goes through its transpose.
// CHECK-LABEL: sym_name = "linear"
// CHECK:       %[[T:.*]] = "tc.transpose"(%dx) <{permutation = array<i64: 1, 0>}>
// CHECK-NEXT:  %[[C:.*]] = "tc.transpose"(%ct) <{permutation = array<i64: 1, 0>}>
// CHECK-NEXT:  "func.return"(%[[T]], %[[C]])
"func.func"() <{function_type = (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<2x3xf32>), sym_name = "linear"}> ({
^bb0(%x: tensor<2x3xf32>, %dx: tensor<2x3xf32>, %ct: tensor<3x2xf32>):
  %0 = "tc.jvp"(%x, %dx) ({
  ^bb0(%v: tensor<2x3xf32>):
    %1 = "tc.transpose"(%v) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<3x2xf32>
    "tc.yield"(%1) : (tensor<3x2xf32>) -> ()
  }) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<3x2xf32>
  %2 = "tc.vjp"(%x, %ct) ({
  ^bb0(%v: tensor<2x3xf32>):
    %3 = "tc.transpose"(%v) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<3x2xf32>
    "tc.yield"(%3) : (tensor<3x2xf32>) -> ()
  }) : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x3xf32>
  "func.return"(%0, %2) : (tensor<3x2xf32>, tensor<2x3xf32>) -> ()
}) : () -> ()

// A derivative of a branch is a branch: log x on one side, nothing of it on the other.
// CHECK-LABEL: sym_name = "branch"
// CHECK:       %[[G:.*]] = "tc.if"(%c, %x
// CHECK:         "tc.div"
// CHECK:       }, {
// CHECK-NOT:     "tc.div"
// CHECK-NOT:     "tc.log"
// CHECK:         "tc.yield"
// CHECK-NEXT:  }) : (tensor<i1>, tensor<f32>) -> tensor<f32>
// CHECK-NEXT:  "func.return"(%[[G]])
"func.func"() <{function_type = (tensor<i1>, tensor<f32>) -> tensor<f32>, sym_name = "branch"}> ({
^bb0(%c: tensor<i1>, %x: tensor<f32>):
  %0 = "tc.grad"(%x) ({
  ^bb0(%v: tensor<f32>):
    %1 = "tc.if"(%c, %v) ({
    ^bb0(%a: tensor<f32>):
      %2 = "tc.log"(%a) : (tensor<f32>) -> tensor<f32>
      "tc.yield"(%2) : (tensor<f32>) -> ()
    }, {
    ^bb0(%a: tensor<f32>):
      %3 = "tc.neg"(%a) : (tensor<f32>) -> tensor<f32>
      "tc.yield"(%3) : (tensor<f32>) -> ()
    }) : (tensor<i1>, tensor<f32>) -> tensor<f32>
    "tc.yield"(%1) : (tensor<f32>) -> ()
  }) : (tensor<f32>) -> tensor<f32>
  "func.return"(%0) : (tensor<f32>) -> ()
}) : () -> ()

// What goes back through a floor is what its own rule says; the floor is there for the value.
// CHECK-LABEL: sym_name = "own"
// CHECK:       %[[Y:.*]] = "tc.floor"(%x)
// CHECK-NEXT:  %[[G:.*]] = "tc.add"(%ct, %ct)
// CHECK-NEXT:  "func.return"(%[[Y]], %[[G]])
"func.func"() <{function_type = (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>), sym_name = "own"}> ({
^bb0(%x: tensor<2xf32>, %ct: tensor<2xf32>):
  %0 = "tc.custom_gradient"(%x) ({
  ^bb0(%v: tensor<2xf32>):
    %1 = "tc.floor"(%v) : (tensor<2xf32>) -> tensor<2xf32>
    "tc.yield"(%1) : (tensor<2xf32>) -> ()
  }, {
  ^bb0(%v: tensor<2xf32>, %t: tensor<2xf32>):
    %2 = "tc.add"(%t, %t) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    "tc.yield"(%2) : (tensor<2xf32>) -> ()
  }) : (tensor<2xf32>) -> tensor<2xf32>
  %3 = "tc.vjp"(%x, %ct) ({
  ^bb0(%w: tensor<2xf32>):
    %4 = "tc.custom_gradient"(%w) ({
    ^bb0(%v: tensor<2xf32>):
      %5 = "tc.floor"(%v) : (tensor<2xf32>) -> tensor<2xf32>
      "tc.yield"(%5) : (tensor<2xf32>) -> ()
    }, {
    ^bb0(%v: tensor<2xf32>, %t: tensor<2xf32>):
      %6 = "tc.add"(%t, %t) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      "tc.yield"(%6) : (tensor<2xf32>) -> ()
    }) : (tensor<2xf32>) -> tensor<2xf32>
    "tc.yield"(%4) : (tensor<2xf32>) -> ()
  }) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  "func.return"(%0, %3) : (tensor<2xf32>, tensor<2xf32>) -> ()
}) : () -> ()

// w * stop(w): the derivative is the constant, and nothing is left of the stop.
// CHECK-LABEL: sym_name = "stopped"
// CHECK-NEXT:  ^bb0(%w: tensor<f32>):
// CHECK-NEXT:  "func.return"(%w)
"func.func"() <{function_type = (tensor<f32>) -> tensor<f32>, sym_name = "stopped"}> ({
^bb0(%w: tensor<f32>):
  %0 = "tc.grad"(%w) ({
  ^bb0(%v: tensor<f32>):
    %1 = "tc.stop_gradient"(%v) : (tensor<f32>) -> tensor<f32>
    %2 = "tc.mul"(%v, %1) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "tc.yield"(%2) : (tensor<f32>) -> ()
  }) : (tensor<f32>) -> tensor<f32>
  "func.return"(%0) : (tensor<f32>) -> ()
}) : () -> ()
