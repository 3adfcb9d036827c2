// RUN: tensorc opt %s --pass-pipeline='builtin.module(cse,func.func(simplify,dce))' --emit=short

// The order of the pipeline is kept, and the short form is for people.
// CHECK:      func.func @f(%x: f32[4])
// CHECK-NEXT:   %0 = tc.exp %x : f32[4]
// CHECK-NEXT:   %1 = tc.sub %0, %0 : f32[4]
// CHECK-NEXT:   func.return %1
"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "f"}> ({
^bb0(%x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "tc.neg"(%1) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = "tc.add"(%0, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%3) : (tensor<4xf32>) -> ()
}) : () -> ()
