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
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "w"}], function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "g"}> ({
  ^bb0(%w: tensor<4xf32>):
    %0 = "tc.scan"(%w, %w) <{carried = 1 : i64, length = #tc.dims<[3]>, reverse = false, sliced = 0 : i64, stacked = 0 : i64}> ({
    ^bb0(%t: tensor<i64>, %h: tensor<4xf32>, %v: tensor<4xf32>):
      %1 = "tc.mul"(%h, %v) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      "tc.yield"(%1) : (tensor<4xf32>) -> ()
    }) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    "func.return"(%0) : (tensor<4xf32>) -> ()
  }) : () -> ()
}) : () -> ()

// What nobody needs is neither carried nor computed.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[R:[0-9]+]]:2 = "tc.scan"(%w, %xs, %w) <{carried = 1 : i64, length = #tc.dims<["T"]>, reverse = true, sliced = 1 : i64, stacked = 1 : i64}> ({
// CHECK-NEXT:  ^bb0(%{{.*}}: tensor<i64>, %[[H:[a-z0-9_]*]]: tensor<4xf32>, %[[X:[a-z0-9_]*]]: tensor<4xf32>, %[[V:[a-z0-9_]*]]: tensor<4xf32>):
// CHECK-NEXT:  %[[M:[a-z0-9_]*]] = "tc.mul"(%[[H]], %[[V]])
// CHECK-NEXT:  %[[A:[a-z0-9_]*]] = "tc.add"(%[[M]], %[[X]])
// CHECK-NEXT:  "tc.yield"(%[[A]], %[[A]])
// CHECK:       "func.return"(%[[R]]#0, %[[R]]#1)

// The region has kernels of its own.
// CHECK-LABEL: sym_name = "f"
// CHECK:       "tc.scan"(%w, %xs, %w)
// CHECK:       %[[G:[0-9]+]] = "tc.group"(%h, %{{.*}}, %x)
// CHECK:       "tc.yield"(%[[G]], %[[G]])
// CHECK:       "func.return"

// A step reads what the step before stacked, and stacks the next one: nothing is copied.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %step = "memref.view"{{.*}} memref<i64>
// CHECK:       "tc.scan"(%w, %xs, %result, %result, %result_1, %step, %w) <{carried = 1 : i64, {{.*}} stacked_as = array<i64: 0>}>
// CHECK-NEXT:  ^bb0(%t: memref<i64>, %h: memref<4xf32>, %x: memref<4xf32>, %{{.*}}: memref<4xf32>, %[[T:[a-z0-9_]*]]: memref<4xf32>, %[[W:[a-z0-9_]*]]: memref<4xf32>):
// CHECK:       "tc.group"(%h, %[[W]], %x, %[[T]])
// CHECK-NOT:   "memref.copy"
// CHECK-LABEL: sym_name = "g"
// CHECK:       %spare = "memref.view"{{.*}} memref<4xf32>
// CHECK:       "tc.scan"(%w, %result, %spare, %step, %w) <{carried = 1 : i64, {{.*}} stacked_as = array<i64: -1>}>
// CHECK-NEXT:  ^bb0(%t: memref<i64>, %h: memref<4xf32>, %[[N:[a-z0-9_]*]]: memref<4xf32>, %[[W:[a-z0-9_]*]]: memref<4xf32>):
// CHECK:       "tc.group"(%h, %[[W]], %[[N]])

// All steps are one kernel. Parts of memory go round in it.
// CHECK-LABEL: sym_name = "f.k0"
// CHECK:       "memref.alloca"{{.*}} memref<1xi64>
// CHECK:       %[[L:[0-9]+]]:3 = "scf.for"(%{{.*}}, %T, %{{.*}}, %w_1, %result_1, %result_1) ({
// CHECK-NEXT:  ^bb0(%[[I:[a-z0-9_]*]]: index, %[[H:[a-z0-9_]*]]: memref<?xf32>,
// CHECK-NEXT:  %[[B:[a-z0-9_]*]] = "arith.subi"(%{{.*}}, %[[I]])
// CHECK:       %[[X:[a-z0-9_]*]] = "tc.part"(%xs, %{{.*}}, %{{.*}})
// CHECK:       %[[P:[a-z0-9_]*]] = "tc.part"(%result_2, %{{.*}}, %{{.*}})
// CHECK:       "vector.maskedload"(%[[H]],
// CHECK:       "vector.maskedload"(%[[X]],
// CHECK:       "vector.maskedstore"(%[[P]],
// CHECK:       "scf.yield"(%[[P]],
// CHECK:       "vector.maskedload"(%[[L]]#0,
// CHECK:       "vector.maskedstore"(%result_1,
// CHECK-LABEL: sym_name = "f"}>
// CHECK-NOT:   "scf.for"
// CHECK:       "tc.launch"

// The two memories of what is not stacked change places: after three steps the result
// is where it belongs.
// CHECK-LABEL: sym_name = "g.k0"
// CHECK:       "scf.for"(%{{.*}}, %{{.*}}, %{{.*}}, %w_1, %result, %spare) ({
// CHECK-NEXT:  ^bb0(%{{.*}}: index, %[[H:[a-z0-9_]*]]: memref<?xf32>, %[[N:[a-z0-9_]*]]: memref<?xf32>, %[[S:[a-z0-9_]*]]: memref<?xf32>):
// CHECK:       "vector.maskedload"(%[[H]],
// CHECK:       "vector.maskedstore"(%[[N]],
// CHECK:       "scf.yield"(%[[N]], %[[S]], %[[N]])
// CHECK-NOT:   "vector.maskedstore"
// CHECK:       "func.return"
