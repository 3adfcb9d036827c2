// RUN: tensorc opt %s --to-structured

// A scalar body at each point of a space; the broadcast is an indexing map.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[E:.*]] = "linalg.generic"(%x, %{{[0-9]+}})
// CHECK-SAME:    iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>]
// CHECK:       "math.exp"
// CHECK:       %[[Z:.*]] = "arith.constant"() <{value = -0.0 : f32}>
// CHECK:       %[[A:.*]] = "linalg.fill"(%[[Z]]
// CHECK:       %[[S:.*]] = "linalg.generic"(%[[E]], %[[A]])
// CHECK-SAME:    iterator_types = [#linalg.iterator_type<reduction>, #linalg.iterator_type<parallel>]
// CHECK:       "arith.addf"
// CHECK:       tc.order = "lanes"
// CHECK-NOT:   "tc.broadcast"
// CHECK:       "linalg.generic"(%[[E]], %[[S]], %{{[0-9]+}})
// CHECK-SAME:    indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>]
// CHECK:       "arith.divf"
"func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}], function_type = (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>, res_attrs = [{tc.name = ""}], sym_name = "f"}> ({
^bb0(%x: tensor<?x4xf32, #tc.dims<["B", 4]>>):
  %0 = "tc.exp"(%x) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
  %1 = "tc.sum"(%0) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<4xf32>
  %2 = "tc.broadcast"(%1) <{axes = array<i64: 1>, shape = #tc.dims<["B", 4]>}> : (tensor<4xf32>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
  %3 = "tc.div"(%0, %2) : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
  "func.return"(%3) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> ()
}) : () -> ()
