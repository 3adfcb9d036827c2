// RUN: tensorc opt %s --schedule --bufferize

// The result is an argument; what two kernels share is allocated by the function.
// CHECK-LABEL: sym_name = "f"
// CHECK:       ^bb0(%x: memref<?x4xf32>, %result: memref<?x4xf32>, %B: index):
// CHECK-DAG:   %[[E:.*]] = "memref.alloc"(%{{.*}}) <{operandSegmentSizes = array<i32: 1, 0>}> : (index) -> memref<?x4xf32>
// CHECK:       "tc.group"(%x, %[[E]])
// CHECK:       %[[S:.*]] = "memref.alloc"() <{operandSegmentSizes = array<i32: 0, 0>}> : () -> memref<4xf32>
// CHECK:       "tc.group"(%[[E]], %[[S]], %partials)
// CHECK:       "tc.group"(%[[E]], %[[S]], %result)
// CHECK:       "func.return"() : () -> ()
// CHECK-NEXT:  tc.symbols = ["B"]
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}], function_type = (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>, res_attrs = [{tc.name = ""}], sym_name = "f"}> ({
  ^bb0(%x: tensor<?x4xf32, #tc.dims<["B", 4]>>):
    %0 = "tc.group"(%x) <{outer = 1 : i64, shapes = []}> ({
    ^bb0(%x_1: tensor<?x4xf32, #tc.dims<["B", 4]>>):
      %1 = "tc.size"() <{dim = #tc.dims<["B"]>}> : () -> index
      %2 = "tensor.empty"(%1) : (index) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
      %3 = "linalg.generic"(%x_1, %2) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%arg0: f32, %arg1: f32):
        %4 = "math.exp"(%arg0) : (f32) -> f32
        "linalg.yield"(%4) : (f32) -> ()
      }) : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
      "tc.yield"(%3) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> ()
    }) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
    %5 = "tc.group"(%0) <{outer = 0 : i64, shapes = []}> ({
    ^bb0(%arg2: tensor<?x4xf32, #tc.dims<["B", 4]>>):
      %6 = "tensor.empty"() : () -> tensor<4xf32>
      %7 = "arith.constant"() <{value = -0.0 : f32}> : () -> f32
      %8 = "linalg.fill"(%7, %6) <{operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%arg3: f32, %arg4: f32):
        "linalg.yield"(%arg3) : (f32) -> ()
      }) : (f32, tensor<4xf32>) -> tensor<4xf32>
      %9 = "linalg.generic"(%arg2, %8) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = [#linalg.iterator_type<reduction>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%arg5: f32, %arg6: f32):
        %10 = "arith.addf"(%arg6, %arg5) : (f32, f32) -> f32
        "linalg.yield"(%10) : (f32) -> ()
      }) {tc.order = "lanes"} : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<4xf32>) -> tensor<4xf32>
      "tc.yield"(%9) : (tensor<4xf32>) -> ()
    }) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<4xf32>
    %11 = "tc.group"(%0, %5) <{outer = 1 : i64, shapes = []}> ({
    ^bb0(%arg7: tensor<?x4xf32, #tc.dims<["B", 4]>>, %arg8: tensor<4xf32>):
      %12 = "tc.size"() <{dim = #tc.dims<["B"]>}> : () -> index
      %13 = "tensor.empty"(%12) : (index) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
      %14 = "linalg.generic"(%arg7, %arg8, %13) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 2, 1>}> ({
      ^bb0(%arg9: f32, %arg10: f32, %arg11: f32):
        %15 = "arith.divf"(%arg9, %arg10) : (f32, f32) -> f32
        "linalg.yield"(%15) : (f32) -> ()
      }) : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<4xf32>, tensor<?x4xf32, #tc.dims<["B", 4]>>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
      "tc.yield"(%14) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> ()
    }) : (tensor<?x4xf32, #tc.dims<["B", 4]>>, tensor<4xf32>) -> tensor<?x4xf32, #tc.dims<["B", 4]>>
    "func.return"(%11) : (tensor<?x4xf32, #tc.dims<["B", 4]>>) -> ()
  }) : () -> ()
}) : () -> ()
