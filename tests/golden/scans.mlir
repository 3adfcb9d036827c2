// RUN: tensorc opt %s --cse --simplify --dce
// RUN: tensorc opt %s --dce --to-structured --fuse
// RUN: tensorc opt %s --dce --to-structured --fuse --schedule --bufferize --plan-memory
// RUN: tensorc opt %s --dce --to-structured --fuse --schedule --bufferize --plan-memory --to-loops

// A weighted sum of rows, and all that it was. The second value that is carried is used
// by nothing but itself.
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "xs"}, {tc.kind = "input", tc.name = "w"}], function_type = (tensor<?x4xf32, #tc.dims<["T", 4]>>, tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32, #tc.dims<["T", 4]>>), sym_name = "f"}> ({
  ^bb0(%xs: tensor<?x4xf32, #tc.dims<["T", 4]>>, %w: tensor<4xf32>):
    %0:3 = "tc.scan"(%w, %w, %xs, %w) <{carried = 2 : i64, length = #tc.dims<["T"]>, reverse = true, sliced = 1 : i64, stacked = 1 : i64}> ({
    ^bb0(%t: tensor<i64>, %h: tensor<4xf32>, %g: tensor<4xf32>, %x: tensor<4xf32>, %v: tensor<4xf32>):
      %1 = "tc.mul"(%h, %v) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      %2 = "tc.add"(%1, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      %3 = "tc.mul"(%g, %v) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      "tc.yield"(%2, %3, %2) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> ()
    }) : (tensor<4xf32>, tensor<4xf32>, tensor<?x4xf32, #tc.dims<["T", 4]>>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<?x4xf32, #tc.dims<["T", 4]>>)
    "func.return"(%0#0, %0#2) : (tensor<4xf32>, tensor<?x4xf32, #tc.dims<["T", 4]>>) -> ()
  }) : () -> ()
}) : () -> ()

// What nobody needs is neither carried nor computed.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[R:[0-9]+]]:2 = "tc.scan"(%w, %xs, %w) <{carried = 1 : i64, length = #tc.dims<["T"]>, reverse = true, sliced = 1 : i64, stacked = 1 : i64}> ({
// CHECK-NEXT:  ^bb0(%{{.*}}: tensor<i64>, %[[H:.*]]: tensor<4xf32>, %[[X:.*]]: tensor<4xf32>, %[[V:.*]]: tensor<4xf32>):
// CHECK-NEXT:  %[[M:.*]] = "tc.mul"(%[[H]], %[[V]])
// CHECK-NEXT:  %[[A:.*]] = "tc.add"(%[[M]], %[[X]])
// CHECK-NEXT:  "tc.yield"(%[[A]], %[[A]])
// CHECK:       "func.return"(%[[R]]#0, %[[R]]#1)

// The region has kernels of its own.
// CHECK-LABEL: sym_name = "f"
// CHECK:       "tc.scan"(%w, %xs, %w)
// CHECK:       %[[G:[0-9]+]] = "tc.group"(%h, %{{.*}}, %x)
// CHECK:       "tc.yield"(%[[G]], %[[G]])
// CHECK:       "func.return"

// A step reads one memory of what is carried, and writes the other.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %spare = "memref.view"(%arena, %{{.*}}) : (memref<?xi8>, index) -> memref<4xf32>
// CHECK:       %step = "memref.view"{{.*}} memref<i64>
// CHECK:       "tc.scan"(%w, %xs, %result, %spare, %result_1, %step, %w)
// CHECK-NEXT:  ^bb0(%t: memref<i64>, %h: memref<4xf32>, %x: memref<4xf32>, %[[N:.*]]: memref<4xf32>, %[[T:.*]]: memref<4xf32>, %[[W:.*]]: memref<4xf32>):
// CHECK:       "tc.group"(%h, %[[W]], %x, %[[N]])
// CHECK:       "memref.copy"(%[[N]], %[[T]])

// The two memories change places from step to step.
// CHECK-LABEL: sym_name = "f"}>
// CHECK:       %[[L:[0-9]+]]:3 = "scf.for"(%{{.*}}, %T, %{{.*}}, %w, %result, %spare) ({
// CHECK-NEXT:  ^bb0(%[[I:.*]]: index, %[[H:.*]]: memref<?xf32>, %[[N:.*]]: memref<?xf32>, %[[S:.*]]: memref<?xf32>):
// CHECK-NEXT:  %[[B:.*]] = "arith.subi"(%{{.*}}, %[[I]])
// CHECK:       "memref.store"(%{{.*}}, %step, %{{.*}})
// CHECK:       %[[X:.*]] = "tc.part"(%xs, %{{.*}}, %{{.*}})
// CHECK:       "tc.launch"(%[[H]], %w, %[[X]], %[[N]],
// CHECK:       "scf.yield"(%[[N]], %[[S]], %[[N]])
// CHECK:       "tc.launch"(%[[L]]#0, %result
