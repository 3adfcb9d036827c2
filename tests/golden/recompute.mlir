// RUN: tensorc opt %s --to-structured --merge --recompute
// RUN: tensorc opt %s --to-structured --merge --recompute --fuse

// The product that adds up the rows of a square matrix reads its transpose, which is
// made from the same operands, the other way round.
// CHECK-LABEL: sym_name = "square"
// CHECK:       %[[S:.*]] = "linalg.generic"(%q, %v, %{{.*}})
// CHECK:       }) {tc.again = true, tc.order = "fma"}
// CHECK:       %[[P:.*]] = "linalg.generic"(%[[S]], %{{.*}})
// CHECK:       }) {tc.again = true}
// CHECK:       "linalg.generic"(%[[P]], %q, %{{.*}}) <{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>
// A matrix with other columns than rows stays, and so does one that is returned.
// CHECK-LABEL: sym_name = "wide"
// CHECK-NOT:   tc.again
// CHECK-LABEL: sym_name = "given"
// CHECK-NOT:   tc.again

// What is made again stands in the kernel of its reader: there is one.
// CHECK-LABEL: sym_name = "square"
// CHECK:       "tc.group"
// CHECK-NOT:   "tc.group"
// CHECK-LABEL: sym_name = "wide"
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "q"}, {tc.kind = "input", tc.name = "v"}], function_type = (tensor<?x3xf32, #tc.dims<["T", 3]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>) -> tensor<?x3xf32, #tc.dims<["T", 3]>>, res_attrs = [{tc.name = ""}], sym_name = "square"}> ({
  ^bb0(%q: tensor<?x3xf32, #tc.dims<["T", 3]>>, %v: tensor<?x3xf32, #tc.dims<["T", 3]>>):
    %0 = "tc.transpose"(%q) <{permutation = array<i64: 1, 0>}> : (tensor<?x3xf32, #tc.dims<["T", 3]>>) -> tensor<3x?xf32, #tc.dims<[3, "T"]>>
    %1 = "tc.matmul"(%v, %0) <{order = "fma"}> : (tensor<?x3xf32, #tc.dims<["T", 3]>>, tensor<3x?xf32, #tc.dims<[3, "T"]>>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %2 = "tc.constant"() <{value = dense<2.0> : tensor<f32>}> : () -> tensor<f32>
    %3 = "tc.broadcast"(%2) <{axes = array<i64>, shape = #tc.dims<["T", "T"]>}> : (tensor<f32>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %4 = "tc.mul"(%1, %3) : (tensor<?x?xf32, #tc.dims<["T", "T"]>>, tensor<?x?xf32, #tc.dims<["T", "T"]>>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %5 = "tc.transpose"(%4) <{permutation = array<i64: 1, 0>}> : (tensor<?x?xf32, #tc.dims<["T", "T"]>>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %6 = "tc.matmul"(%5, %q) <{order = "fma"}> : (tensor<?x?xf32, #tc.dims<["T", "T"]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>) -> tensor<?x3xf32, #tc.dims<["T", 3]>>
    "func.return"(%6) : (tensor<?x3xf32, #tc.dims<["T", 3]>>) -> ()
  }) : () -> ()
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "q"}, {tc.kind = "input", tc.name = "v"}], function_type = (tensor<?x3xf32, #tc.dims<["S", 3]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>) -> tensor<?x3xf32, #tc.dims<["S", 3]>>, res_attrs = [{tc.name = ""}], sym_name = "wide"}> ({
  ^bb0(%q: tensor<?x3xf32, #tc.dims<["S", 3]>>, %v: tensor<?x3xf32, #tc.dims<["T", 3]>>):
    %0 = "tc.transpose"(%q) <{permutation = array<i64: 1, 0>}> : (tensor<?x3xf32, #tc.dims<["S", 3]>>) -> tensor<3x?xf32, #tc.dims<[3, "S"]>>
    %1 = "tc.matmul"(%v, %0) <{order = "fma"}> : (tensor<?x3xf32, #tc.dims<["T", 3]>>, tensor<3x?xf32, #tc.dims<[3, "S"]>>) -> tensor<?x?xf32, #tc.dims<["T", "S"]>>
    %2 = "tc.constant"() <{value = dense<2.0> : tensor<f32>}> : () -> tensor<f32>
    %3 = "tc.broadcast"(%2) <{axes = array<i64>, shape = #tc.dims<["T", "S"]>}> : (tensor<f32>) -> tensor<?x?xf32, #tc.dims<["T", "S"]>>
    %4 = "tc.mul"(%1, %3) : (tensor<?x?xf32, #tc.dims<["T", "S"]>>, tensor<?x?xf32, #tc.dims<["T", "S"]>>) -> tensor<?x?xf32, #tc.dims<["T", "S"]>>
    %5 = "tc.transpose"(%4) <{permutation = array<i64: 1, 0>}> : (tensor<?x?xf32, #tc.dims<["T", "S"]>>) -> tensor<?x?xf32, #tc.dims<["S", "T"]>>
    %6 = "tc.matmul"(%5, %v) <{order = "fma"}> : (tensor<?x?xf32, #tc.dims<["S", "T"]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>) -> tensor<?x3xf32, #tc.dims<["S", 3]>>
    "func.return"(%6) : (tensor<?x3xf32, #tc.dims<["S", 3]>>) -> ()
  }) : () -> ()
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "q"}, {tc.kind = "input", tc.name = "v"}], function_type = (tensor<?x3xf32, #tc.dims<["T", 3]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>) -> (tensor<?x?xf32, #tc.dims<["T", "T"]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>), res_attrs = [{tc.name = ""}, {tc.name = ""}], sym_name = "given"}> ({
  ^bb0(%q: tensor<?x3xf32, #tc.dims<["T", 3]>>, %v: tensor<?x3xf32, #tc.dims<["T", 3]>>):
    %0 = "tc.transpose"(%q) <{permutation = array<i64: 1, 0>}> : (tensor<?x3xf32, #tc.dims<["T", 3]>>) -> tensor<3x?xf32, #tc.dims<[3, "T"]>>
    %1 = "tc.matmul"(%v, %0) <{order = "fma"}> : (tensor<?x3xf32, #tc.dims<["T", 3]>>, tensor<3x?xf32, #tc.dims<[3, "T"]>>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %2 = "tc.constant"() <{value = dense<2.0> : tensor<f32>}> : () -> tensor<f32>
    %3 = "tc.broadcast"(%2) <{axes = array<i64>, shape = #tc.dims<["T", "T"]>}> : (tensor<f32>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %4 = "tc.mul"(%1, %3) : (tensor<?x?xf32, #tc.dims<["T", "T"]>>, tensor<?x?xf32, #tc.dims<["T", "T"]>>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %5 = "tc.transpose"(%4) <{permutation = array<i64: 1, 0>}> : (tensor<?x?xf32, #tc.dims<["T", "T"]>>) -> tensor<?x?xf32, #tc.dims<["T", "T"]>>
    %6 = "tc.matmul"(%5, %q) <{order = "fma"}> : (tensor<?x?xf32, #tc.dims<["T", "T"]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>) -> tensor<?x3xf32, #tc.dims<["T", 3]>>
    "func.return"(%4, %6) : (tensor<?x?xf32, #tc.dims<["T", "T"]>>, tensor<?x3xf32, #tc.dims<["T", 3]>>) -> ()
  }) : () -> ()
}) : () -> ()
