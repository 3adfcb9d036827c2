// RUN: not tensorc opt %s --fuse

// CHECK:      error[TC0250]: tc.exp: is an op of level tensor, not of structured
// CHECK-NEXT: level.mlir:9:8
// CHECK:      note: pass 'fuse' reads level structured

"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "f"}> ({
^bb0(%x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%0) : (tensor<4xf32>) -> ()
}) : () -> ()
