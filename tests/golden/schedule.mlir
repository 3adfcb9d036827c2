// RUN: tensorc opt %s --to-structured --fuse --schedule

// A wide product is cut along its columns, too. What stages pass on lies in scratch for a
// chunk of rows, what stays in a row's loop in registers; a narrow product reads a panel.
// CHECK-LABEL: sym_name = "wide"
// CHECK:       tc.order = "fma", tc.place = ["block"], tc.schedule = {tile = array<i64: {{.*}}>}, tc.stage = 0 : i64
// CHECK:       tc.place = ["memory"], tc.stage = 1 : i64
// CHECK:       tc.schedule = {block = #tc.dims<[48]>, columns = #tc.dims<[{{.*}}]>, rows = #tc.dims<[48]>}
// CHECK-LABEL: sym_name = "narrow"
// CHECK:       tc.place = ["block"], tc.stage = 0 : i64
// CHECK:       tc.order = "fma", tc.place = ["block"], tc.schedule = {panel = {{.*}}, tile = array<i64: {{.*}}>}, tc.stage = 1 : i64
// CHECK:       tc.place = ["register"], tc.stage = 2 : i64
// CHECK:       tc.place = ["memory"], tc.stage = 2 : i64
// CHECK:       tc.schedule = {block = #tc.dims<[48]>, rows = #tc.dims<[48]>}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}, {tc.kind = "input", tc.name = "w"}], function_type = (tensor<9x6xf32>, tensor<6x300xf32>) -> tensor<9x300xf32>, res_attrs = [{tc.name = ""}], sym_name = "wide"}> ({
  ^bb0(%x: tensor<9x6xf32>, %w: tensor<6x300xf32>):
    %0 = "tc.matmul"(%x, %w) <{order = "fma"}> : (tensor<9x6xf32>, tensor<6x300xf32>) -> tensor<9x300xf32>
    %1 = "tc.exp"(%0) : (tensor<9x300xf32>) -> tensor<9x300xf32>
    "func.return"(%1) : (tensor<9x300xf32>) -> ()
  }) : () -> ()
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}, {tc.kind = "input", tc.name = "w"}], function_type = (tensor<9x6xf32>, tensor<6x5xf32>) -> tensor<9x5xf32>, res_attrs = [{tc.name = ""}], sym_name = "narrow"}> ({
  ^bb0(%x: tensor<9x6xf32>, %w: tensor<6x5xf32>):
    %0 = "tc.exp"(%x) : (tensor<9x6xf32>) -> tensor<9x6xf32>
    %1 = "tc.matmul"(%0, %w) <{order = "fma"}> : (tensor<9x6xf32>, tensor<6x5xf32>) -> tensor<9x5xf32>
    %2 = "tc.exp"(%1) : (tensor<9x5xf32>) -> tensor<9x5xf32>
    %3 = "tc.add"(%2, %2) : (tensor<9x5xf32>, tensor<9x5xf32>) -> tensor<9x5xf32>
    "func.return"(%3) : (tensor<9x5xf32>) -> ()
  }) : () -> ()
}) : () -> ()
