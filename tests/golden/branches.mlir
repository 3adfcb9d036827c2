// RUN: tensorc opt %s --cse --simplify --dce
// RUN: tensorc opt %s --to-structured --fuse
// RUN: tensorc opt %s --to-structured --fuse --schedule --bufferize --plan-memory
// RUN: tensorc opt %s --to-structured --fuse --schedule --bufferize --plan-memory --to-loops

// A step, or none: the weight is renewed in place, the branch that gives the old one does
// nothing. Both branches are what they were at TENSOR: nothing moves out of them.
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "shared", tc.name = "W"}, {tc.kind = "input", tc.name = "c"}, {tc.kind = "input", tc.name = "g"}], function_type = (tensor<4xf32>, tensor<i1>, tensor<4xf32>) -> tensor<4xf32>, res_attrs = [{tc.updates = 0 : i64}], sym_name = "step"}> ({
  ^bb0(%W: tensor<4xf32>, %c: tensor<i1>, %g: tensor<4xf32>):
    %0 = "tc.if"(%c, %W, %g) ({
    ^bb0(%V: tensor<4xf32>, %d: tensor<4xf32>):
      %1 = "tc.sub"(%V, %d) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      "tc.yield"(%1) : (tensor<4xf32>) -> ()
    }, {
    ^bb0(%V_1: tensor<4xf32>, %d_1: tensor<4xf32>):
      "tc.yield"(%V_1) : (tensor<4xf32>) -> ()
    }) : (tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    "func.return"(%0) : (tensor<4xf32>) -> ()
  }) : () -> ()
}) : () -> ()

// CHECK-LABEL: sym_name = "step"
// CHECK:       %[[R:.*]] = "tc.if"(%c, %W, %g) ({
// CHECK-NEXT:  ^bb0(%[[V:.*]]: tensor<4xf32>, %[[D:.*]]: tensor<4xf32>):
// CHECK-NEXT:  "tc.sub"(%[[V]], %[[D]])
// CHECK-NEXT:  "tc.yield"
// CHECK-NEXT:  }, {
// CHECK-NEXT:  ^bb0(%[[V:.*]]: tensor<4xf32>, %{{.*}}: tensor<4xf32>):
// CHECK-NEXT:  "tc.yield"(%[[V]])
// CHECK-NEXT:  }) : (tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:  "func.return"(%[[R]])

// CHECK-LABEL: sym_name = "step"
// CHECK-NEXT:  ^bb0(%W: tensor<4xf32>, %c: tensor<i1>, %g: tensor<4xf32>):
// CHECK-NEXT:  %[[R:.*]] = "tc.if"(%c, %W, %g) ({
// CHECK-NEXT:  ^bb0(%[[V:.*]]: tensor<4xf32>, %[[D:.*]]: tensor<4xf32>):
// CHECK-NEXT:  %[[N:.*]] = "tc.group"(%[[V]], %[[D]])
// CHECK:       "arith.subf"
// CHECK:       "tc.yield"(%[[N]])
// CHECK-NEXT:  }, {
// CHECK-NEXT:  ^bb0(%[[V:.*]]: tensor<4xf32>, %{{.*}}: tensor<4xf32>):
// CHECK-NEXT:  "tc.yield"(%[[V]])
// CHECK-NEXT:  })
// CHECK-NEXT:  "func.return"(%[[R]])

// CHECK-LABEL: sym_name = "step"
// CHECK-NEXT:  ^bb0(%W: memref<4xf32>, %c: memref<i1>, %g: memref<4xf32>, %arena: memref<?xi8>):
// CHECK-NEXT:  "tc.if"(%c, %W, %g) ({
// CHECK-NEXT:  ^bb0(%[[V:.*]]: memref<4xf32>, %[[D:.*]]: memref<4xf32>):
// CHECK-NEXT:  "tc.group"(%[[V]], %[[D]], %[[V]])
// CHECK:       "arith.subf"
// CHECK:       "tc.yield"() : () -> ()
// CHECK:       "tc.yield"() : () -> ()
// CHECK-NEXT:  }, {
// CHECK-NEXT:  ^bb0(%{{.*}}: memref<4xf32>, %{{.*}}: memref<4xf32>):
// CHECK-NEXT:  "tc.yield"() : () -> ()
// CHECK-NEXT:  }) : (memref<i1>, memref<4xf32>, memref<4xf32>) -> ()
// CHECK-NEXT:  "func.return"() : () -> ()

// CHECK-LABEL: sym_name = "step.k0"
// CHECK:       "arith.subf"
// CHECK-LABEL: sym_name = "step"}>
// CHECK:       %[[C:.*]] = "memref.load"(%c, %{{.*}}) : (memref<?xi1>, index) -> i1
// CHECK-NEXT:  "scf.if"(%[[C]]) ({
// CHECK-NEXT:  "tc.launch"(%W, %g, %W, %{{.*}}, %{{.*}}) <{callee = @step.k0}>
// CHECK-NEXT:  "scf.yield"() : () -> ()
// CHECK-NEXT:  }, {}) : (i1) -> ()
// CHECK-NEXT:  "func.return"() : () -> ()
