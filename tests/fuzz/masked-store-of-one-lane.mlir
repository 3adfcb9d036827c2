// tensorc fuzz: seed 5, program 160
// interpreted = -O3 fused for 256 bits, 1 thread: bytes beside result 0 have changed
// case: {"function": "p160", "arguments": [{"type": "i32", "shape": [7, 1], "values": [-3, 2, 0, -1, 5, -7, -2]}], "tame": false, "cost": null, "slopes": [], "twins": [], "rows": null}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "a0"}], function_type = (tensor<?x1xi32, #tc.dims<["M", 1]>>) -> (tensor<?x1xi1, #tc.dims<["M", 1]>>, tensor<?x1xf64, #tc.dims<["M", 1]>>), res_attrs = [{tc.name = "r0"}, {tc.name = "r1"}], sym_name = "p160"}> ({
  ^bb0(%a0: tensor<?x1xi32, #tc.dims<["M", 1]>>):
    %0 = "tc.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
    %1 = "tc.broadcast"(%0) <{axes = array<i64>, shape = #tc.dims<["M", 1]>}> : (tensor<i32>) -> tensor<?x1xi32, #tc.dims<["M", 1]>>
    %2 = "tc.compare"(%a0, %1) <{predicate = "lt"}> : (tensor<?x1xi32, #tc.dims<["M", 1]>>, tensor<?x1xi32, #tc.dims<["M", 1]>>) -> tensor<?x1xi1, #tc.dims<["M", 1]>>
    %3 = "tc.constant"() <{value = dense<-0.0> : tensor<f64>}> : () -> tensor<f64>
    %4 = "tc.broadcast"(%3) <{axes = array<i64>, shape = #tc.dims<["M", 1]>}> : (tensor<f64>) -> tensor<?x1xf64, #tc.dims<["M", 1]>>
    "func.return"(%2, %4) : (tensor<?x1xi1, #tc.dims<["M", 1]>>, tensor<?x1xf64, #tc.dims<["M", 1]>>) -> ()
  }) : () -> ()
}) : () -> ()
