// tensorc fuzz: seed 14, program 495
// compiles: InternalError: internal error in pass 'fuse': ValueError: zip() argument 2 is shorter than argument 1
// case: {"function": "p495", "arguments": [{"type": "f64", "shape": [1, 1], "values": [1.0]}, {"type": "f64", "shape": [1, 1], "values": [1.0]}], "tame": true, "cost": null, "slopes": [], "twins": [], "rows": null, "duals": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "a0"}, {tc.kind = "input", tc.name = "v2"}], function_type = (tensor<?x?xf64, #tc.dims<["M", "M"]>>, tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> (tensor<f64>, tensor<?x?xf64, #tc.dims<["M", "M"]>>), res_attrs = [{tc.name = "r0"}, {tc.name = "r1"}], sym_name = "p495"}> ({
  ^bb0(%a0: tensor<?x?xf64, #tc.dims<["M", "M"]>>, %v2: tensor<?x?xf64, #tc.dims<["M", "M"]>>):
    %0 = "tc.matmul"(%a0, %v2) <{order = "fma"}> : (tensor<?x?xf64, #tc.dims<["M", "M"]>>, tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> tensor<?x?xf64, #tc.dims<["M", "M"]>>
    %1 = "tc.matmul"(%0, %a0) <{order = "fma"}> : (tensor<?x?xf64, #tc.dims<["M", "M"]>>, tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> tensor<?x?xf64, #tc.dims<["M", "M"]>>
    %2 = "tc.sum"(%1) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> tensor<?xf64, #tc.dims<["M"]>>
    %3 = "tc.sum"(%2) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<?xf64, #tc.dims<["M"]>>) -> tensor<f64>
    %4 = "tc.grad"(%a0) ({
    ^bb0(%arg0: tensor<?x?xf64, #tc.dims<["M", "M"]>>):
      %5 = "tc.matmul"(%arg0, %v2) <{order = "fma"}> : (tensor<?x?xf64, #tc.dims<["M", "M"]>>, tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> tensor<?x?xf64, #tc.dims<["M", "M"]>>
      %6 = "tc.matmul"(%5, %arg0) <{order = "fma"}> : (tensor<?x?xf64, #tc.dims<["M", "M"]>>, tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> tensor<?x?xf64, #tc.dims<["M", "M"]>>
      %7 = "tc.sum"(%6) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> tensor<?xf64, #tc.dims<["M"]>>
      %8 = "tc.sum"(%7) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<?xf64, #tc.dims<["M"]>>) -> tensor<f64>
      "tc.yield"(%8) : (tensor<f64>) -> ()
    }) : (tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> tensor<?x?xf64, #tc.dims<["M", "M"]>>
    "func.return"(%3, %4) : (tensor<f64>, tensor<?x?xf64, #tc.dims<["M", "M"]>>) -> ()
  }) : () -> ()
}) : () -> ()
