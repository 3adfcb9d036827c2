// RUN: tensorc opt %s --cse --split-input-file --verify-diagnostics --emit=none
// RUN: tensorc opt --list-passes
// CHECK: --cse {{.*}} Merge pure ops

// expected-error @+1 {{there is no op 'tc.ad'}}
%0 = "tc.ad"() : () -> tensor<f32>

// -----

"func.func"() <{function_type = (tensor<4xf32>) -> tensor<5xf32>, sym_name = "f"}> ({
^bb0(%x: tensor<4xf32>):
  // expected-error-re @below {{func.return: {{.*}}[TC0250]}}
  "func.return"(%x) : (tensor<4xf32>) -> ()
}) : () -> ()

// -----

"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "g"}> ({
^bb0(%x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32> // expected-note {{first defined here}}
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @above {{'%0' is defined twice}}
  "func.return"(%0) : (tensor<4xf32>) -> ()
}) : () -> ()
