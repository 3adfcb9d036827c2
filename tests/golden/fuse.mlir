// RUN: tensorc opt %s --fuse

// The sum goes across rows, so it has a kernel of its own; what stands row by row is one.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[E:.*]] = "tc.group"(%x) <{outer = 1 : i64
// CHECK:       "math.exp"
// CHECK:       %[[S:.*]] = "tc.group"(%[[E]]) <{outer = 0 : i64
// CHECK:       "arith.addf"
// CHECK:       %[[Y:.*]] = "tc.group"(%[[E]], %[[S]]) <{outer = 1 : i64
// CHECK:       "arith.divf"
// CHECK:       "func.return"(%[[Y]])
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}], function_type = (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>, res_attrs = [{tc.name = ""}], sym_name = "f"}> ({
  ^bb0(%x: tensor<?x4xf32, #tc.dims<["B", 4]>>):
    %0 = "tc.size"() <{dim = #tc.dims<["B"]>}> : () -> index
    %1 = "tensor.empty"(%0) : (index) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
    %2 = "linalg.generic"(%x, %1) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%arg0: f32, %arg1: f32):
      %3 = "math.exp"(%arg0) : (f32) -> f32
      "linalg.yield"(%3) : (f32) -> ()
    }) : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
    %4 = "arith.constant"() <{value = -0.0 : f32}> : () -> f32
    %5 = "tensor.empty"() : () -> tensor<4xf32>
    %6 = "linalg.fill"(%4, %5) <{operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%arg2: f32, %arg3: f32):
      "linalg.yield"(%arg2) : (f32) -> ()
    }) : (f32, tensor<4xf32>) -> tensor<4xf32>
    %7 = "linalg.generic"(%2, %6) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = [#linalg.iterator_type<reduction>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%arg4: f32, %arg5: f32):
      %8 = "arith.addf"(%arg5, %arg4) : (f32, f32) -> f32
      "linalg.yield"(%8) : (f32) -> ()
    }) {tc.order = "lanes"} : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<4xf32>) -> tensor<4xf32>
    %9 = "tc.size"() <{dim = #tc.dims<["B"]>}> : () -> index
    %10 = "tensor.empty"(%9) : (index) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
    %11 = "linalg.generic"(%2, %7, %10) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 2, 1>}> ({
    ^bb0(%arg6: f32, %arg7: f32, %arg8: f32):
      %12 = "arith.divf"(%arg6, %arg7) : (f32, f32) -> f32
      "linalg.yield"(%12) : (f32) -> ()
    }) : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<4xf32>, tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
    "func.return"(%11) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> ()
  }) : () -> ()
}) : () -> ()
