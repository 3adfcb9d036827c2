// tensorc fuzz: seed 16, program 651
// compiles: InternalError: internal error in pass 'to-loops': KeyError: 1
// case: {"function": "p651", "arguments": [{"type": "f64", "shape": [1, 1], "values": [1.0]}], "tame": true, "cost": null, "slopes": [], "twins": [], "rows": null, "duals": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "a0"}], function_type = (tensor<?x1xf64, #tc.dims<["K", 1]>>) -> (tensor<f64>, tensor<?x1xf64, #tc.dims<["K", 1]>>), res_attrs = [{tc.name = "r0"}, {tc.name = "r1"}], sym_name = "p651"}> ({
  ^bb0(%a0: tensor<?x1xf64, #tc.dims<["K", 1]>>):
    %0 = "tc.transpose"(%a0) <{permutation = array<i64: 1, 0>}> : (tensor<?x1xf64, #tc.dims<["K", 1]>>) -> tensor<1x?xf64, #tc.dims<[1, "K"]>>
    %1 = "tc.matmul"(%a0, %0) <{order = "fma"}> : (tensor<?x1xf64, #tc.dims<["K", 1]>>, tensor<1x?xf64, #tc.dims<[1, "K"]>>) -> tensor<?x?xf64, #tc.dims<["K", "K"]>>
    %2 = "tc.transpose"(%1) <{permutation = array<i64: 1, 0>}> : (tensor<?x?xf64, #tc.dims<["K", "K"]>>) -> tensor<?x?xf64, #tc.dims<["K", "K"]>>
    %3 = "tc.matmul"(%2, %a0) <{order = "fma"}> : (tensor<?x?xf64, #tc.dims<["K", "K"]>>, tensor<?x1xf64, #tc.dims<["K", 1]>>) -> tensor<?x1xf64, #tc.dims<["K", 1]>>
    %4 = "tc.sum"(%3) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<?x1xf64, #tc.dims<["K", 1]>>) -> tensor<?xf64, #tc.dims<["K"]>>
    %5 = "tc.sum"(%4) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<?xf64, #tc.dims<["K"]>>) -> tensor<f64>
    %6 = "tc.grad"(%a0) ({
    ^bb0(%arg0: tensor<?x1xf64, #tc.dims<["K", 1]>>):
      %7 = "tc.transpose"(%arg0) <{permutation = array<i64: 1, 0>}> : (tensor<?x1xf64, #tc.dims<["K", 1]>>) -> tensor<1x?xf64, #tc.dims<[1, "K"]>>
      %8 = "tc.matmul"(%arg0, %7) <{order = "fma"}> : (tensor<?x1xf64, #tc.dims<["K", 1]>>, tensor<1x?xf64, #tc.dims<[1, "K"]>>) -> tensor<?x?xf64, #tc.dims<["K", "K"]>>
      %9 = "tc.transpose"(%8) <{permutation = array<i64: 1, 0>}> : (tensor<?x?xf64, #tc.dims<["K", "K"]>>) -> tensor<?x?xf64, #tc.dims<["K", "K"]>>
      %10 = "tc.matmul"(%9, %arg0) <{order = "fma"}> : (tensor<?x?xf64, #tc.dims<["K", "K"]>>, tensor<?x1xf64, #tc.dims<["K", 1]>>) -> tensor<?x1xf64, #tc.dims<["K", 1]>>
      %11 = "tc.sum"(%10) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<?x1xf64, #tc.dims<["K", 1]>>) -> tensor<?xf64, #tc.dims<["K"]>>
      %12 = "tc.sum"(%11) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<?xf64, #tc.dims<["K"]>>) -> tensor<f64>
      "tc.yield"(%12) : (tensor<f64>) -> ()
    }) : (tensor<?x1xf64, #tc.dims<["K", 1]>>) -> tensor<?x1xf64, #tc.dims<["K", 1]>>
    "func.return"(%5, %6) : (tensor<f64>, tensor<?x1xf64, #tc.dims<["K", 1]>>) -> ()
  }) : () -> ()
}) : () -> ()
