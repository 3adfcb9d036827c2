// RUN: tensorc opt %s --to-structured --read-through

// The difference is computed where it is read; a function of all elements is not.
// CHECK-LABEL: sym_name = "cheap"
// CHECK-NOT:   tensor<5xf32>) -> tensor<5xf32>
// CHECK:       %[[X:.*]] = "tensor.extract"(%x, %{{.*}}) : (tensor<5xf32>, index) -> f32
// CHECK-NEXT:  %{{[0-9]+}} = "arith.subf"(%[[X]], %[[X]]) : (f32, f32) -> f32
// CHECK-LABEL: sym_name = "dear"
// CHECK:       "math.exp"
// CHECK:       "linalg.yield"
// CHECK:       "tensor.extract"(%{{[0-9]+}}, %{{.*}}) : (tensor<5xf32>, index) -> f32
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}, {tc.kind = "input", tc.name = "i"}], function_type = (tensor<5xf32>, tensor<3xi64>) -> tensor<3xf32>, res_attrs = [{tc.name = ""}], sym_name = "cheap"}> ({
  ^bb0(%x: tensor<5xf32>, %i: tensor<3xi64>):
    %0 = "tc.sub"(%x, %x) : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
    %1 = "tc.check_index"(%i) <{axis = 0 : i64, from_end = true, size = #tc.dims<[5]>}> : (tensor<3xi64>) -> tensor<3xi64>
    %2 = "tc.gather"(%0, %1) <{axes = array<i64: 0>}> : (tensor<5xf32>, tensor<3xi64>) -> tensor<3xf32>
    "func.return"(%2) : (tensor<3xf32>) -> ()
  }) : () -> ()
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}, {tc.kind = "input", tc.name = "i"}], function_type = (tensor<5xf32>, tensor<3xi64>) -> tensor<3xf32>, res_attrs = [{tc.name = ""}], sym_name = "dear"}> ({
  ^bb0(%x: tensor<5xf32>, %i: tensor<3xi64>):
    %0 = "tc.exp"(%x) : (tensor<5xf32>) -> tensor<5xf32>
    %1 = "tc.check_index"(%i) <{axis = 0 : i64, from_end = true, size = #tc.dims<[5]>}> : (tensor<3xi64>) -> tensor<3xi64>
    %2 = "tc.gather"(%0, %1) <{axes = array<i64: 0>}> : (tensor<5xf32>, tensor<3xi64>) -> tensor<3xf32>
    "func.return"(%2) : (tensor<3xf32>) -> ()
  }) : () -> ()
}) : () -> ()
