// RUN: tensorc opt %s --few-rows

// Constants are looked at; few rows are known to be few.
// CHECK-LABEL: sym_name = "few"
// CHECK-NOT:   "tc.if"
// CHECK:       %[[SLOT:.*]] = "tc.check_index"(%{{.*}}) <{axis = 0 : i64, from_end = true, size = #tc.dims<[2]>}>
// CHECK:       "tc.scatter"(%{{.*}}, %g, %[[SLOT]]) <{axes = array<i64: 0>, combine = "add"}> : (tensor<2xf32>
// CHECK:       %[[NEW:.*]] = "tc.sub"(%{{.*}}, %{{.*}}) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
// CHECK:       "tc.scatter"(%W, %[[NEW]], %{{.*}}) <{axes = array<i64: 0>, combine = "set"}>

// A number of the call is known when it runs.
// CHECK-LABEL: sym_name = "call"
// CHECK:       "tc.compare"(%lr, %{{.*}}) <{predicate = "gt"}>
// CHECK:       "tc.compare"(%lr, %{{.*}}) <{predicate = "lt"}>
// CHECK:       "tc.if"
// CHECK:       "tc.sub"(%{{.*}}, %{{.*}}) : (tensor<2xf32>
// CHECK:       "tc.sub"(%{{.*}}, %{{.*}}) : (tensor<8xf32>

// -0 less -0 is +0: all rows change.
// CHECK-LABEL: sym_name = "negative"
// CHECK-NOT:   combine = "set"
"func.func"() <{function_type = (tensor<8xf32>, tensor<2xf32>, tensor<2xi64>) -> tensor<8xf32>, res_attrs = [{tc.updates = 0 : i64}], arg_attrs = [{tc.kind = "shared", tc.name = "W"}, {tc.kind = "input", tc.name = "g"}, {tc.kind = "input", tc.name = "i"}], sym_name = "few"}> ({
^bb0(%W: tensor<8xf32>, %g: tensor<2xf32>, %i: tensor<2xi64>):
  %0 = "tc.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %1 = "tc.broadcast"(%0) <{axes = array<i64>, shape = #tc.dims<[8]>}> : (tensor<f32>) -> tensor<8xf32>
  %2 = "tc.scatter"(%1, %g, %i) <{axes = array<i64: 0>, combine = "add"}> : (tensor<8xf32>, tensor<2xf32>, tensor<2xi64>) -> tensor<8xf32>
  %3 = "tc.constant"() <{value = dense<0.5> : tensor<f32>}> : () -> tensor<f32>
  %4 = "tc.broadcast"(%3) <{axes = array<i64>, shape = #tc.dims<[8]>}> : (tensor<f32>) -> tensor<8xf32>
  %5 = "tc.mul"(%4, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %6 = "tc.sub"(%W, %5) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  "func.return"(%6) : (tensor<8xf32>) -> ()
}) : () -> ()
"func.func"() <{function_type = (tensor<8xf32>, tensor<2xf32>, tensor<2xi64>, tensor<f32>) -> tensor<8xf32>, res_attrs = [{tc.updates = 0 : i64}], arg_attrs = [{tc.kind = "shared", tc.name = "W"}, {tc.kind = "input", tc.name = "g"}, {tc.kind = "input", tc.name = "i"}, {tc.kind = "input", tc.name = "lr"}], sym_name = "call"}> ({
^bb0(%W: tensor<8xf32>, %g: tensor<2xf32>, %i: tensor<2xi64>, %lr: tensor<f32>):
  %0 = "tc.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %1 = "tc.broadcast"(%0) <{axes = array<i64>, shape = #tc.dims<[8]>}> : (tensor<f32>) -> tensor<8xf32>
  %2 = "tc.scatter"(%1, %g, %i) <{axes = array<i64: 0>, combine = "add"}> : (tensor<8xf32>, tensor<2xf32>, tensor<2xi64>) -> tensor<8xf32>
  %4 = "tc.broadcast"(%lr) <{axes = array<i64>, shape = #tc.dims<[8]>}> : (tensor<f32>) -> tensor<8xf32>
  %5 = "tc.mul"(%4, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %6 = "tc.sub"(%W, %5) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  "func.return"(%6) : (tensor<8xf32>) -> ()
}) : () -> ()
"func.func"() <{function_type = (tensor<8xf32>, tensor<2xf32>, tensor<2xi64>) -> tensor<8xf32>, res_attrs = [{tc.updates = 0 : i64}], arg_attrs = [{tc.kind = "shared", tc.name = "W"}, {tc.kind = "input", tc.name = "g"}, {tc.kind = "input", tc.name = "i"}], sym_name = "negative"}> ({
^bb0(%W: tensor<8xf32>, %g: tensor<2xf32>, %i: tensor<2xi64>):
  %0 = "tc.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %1 = "tc.broadcast"(%0) <{axes = array<i64>, shape = #tc.dims<[8]>}> : (tensor<f32>) -> tensor<8xf32>
  %2 = "tc.scatter"(%1, %g, %i) <{axes = array<i64: 0>, combine = "add"}> : (tensor<8xf32>, tensor<2xf32>, tensor<2xi64>) -> tensor<8xf32>
  %3 = "tc.constant"() <{value = dense<-0.5> : tensor<f32>}> : () -> tensor<f32>
  %4 = "tc.broadcast"(%3) <{axes = array<i64>, shape = #tc.dims<[8]>}> : (tensor<f32>) -> tensor<8xf32>
  %5 = "tc.mul"(%4, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %6 = "tc.sub"(%W, %5) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  "func.return"(%6) : (tensor<8xf32>) -> ()
}) : () -> ()
