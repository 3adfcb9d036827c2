// RUN: tensorc opt %s --cse --dce
// RUN: tensorc opt %s --cse --dce --to-structured
// RUN: tensorc opt %s --cse --dce --to-structured --fuse --schedule --bufferize --plan-memory
// RUN: tensorc opt %s --cse --dce --to-structured --fuse --schedule --bufferize --plan-memory --to-loops

// An op with two results, through all levels. Equal ones are one op; of which only one
// result is read, they are the op that gives it alone, if there is one.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[T:[0-9]+]]:2 = "tc.top1"(%x) <{axes = array<i64: 1>}>
// CHECK-NOT:   "tc.top1"
// CHECK:       "func.return"(%[[T]]#0, %[[T]]#1, %[[T]]#1)
// CHECK-LABEL: sym_name = "one"
// CHECK:       %[[V:.*]]:2 = "tc.top1"(%x)
// CHECK:       %[[I:.*]] = "tc.argmax"(%x) <{axes = array<i64: 0>}>
// CHECK:       %[[M:.*]] = "tc.max"(%n) <{axes = array<i64: 0>}>
// CHECK:       "func.return"(%[[V]]#0, %[[I]], %[[M]])

// One loop gives both.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[G:[0-9]+]]:2 = "linalg.generic"(%x, %{{[0-9]+}}, %{{[0-9]+}})
// CHECK-SAME:    iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<reduction>], operandSegmentSizes = array<i32: 1, 2>
// CHECK:       "linalg.yield"(%{{[0-9]+}}, %{{[0-9]+}}) : (f32, i64) -> ()
// CHECK:       tc.order = "sequential"
// CHECK:       "func.return"(%[[G]]#0, %[[G]]#1, %[[G]]#1)
// CHECK-LABEL: sym_name = "one"

// Both go to the memory of the caller; what nobody reads, in a group's own.
// CHECK-LABEL: sym_name = "f"
// CHECK:       "tc.group"(%x, %result, %result_1)
// CHECK:       ^bb0(%[[X:.*]]: memref<?x3xf32>, %[[R:.*]]: memref<?xf32>, %[[S:.*]]: memref<?xi64>)
// CHECK-NOT:   "memref.alloc"
// CHECK:       "linalg.generic"(%[[X]], %[[R]], %[[S]])
// CHECK:       "memref.copy"(%result_1, %result_2)
// CHECK-LABEL: sym_name = "one"
// CHECK:       "tc.group"(%x, %result)
// CHECK:       %[[OWN:.*]] = "memref.alloc"{{.*}} memref<?xi64>

// CHECK-LABEL: sym_name = "f.k0"
// CHECK:       %[[L:[0-9]+]]:2 = "scf.for"
// CHECK:       "memref.store"(%[[L]]#0, %result,
// CHECK:       "memref.store"(%[[L]]#1, %result_1,
// CHECK-LABEL: sym_name = "one.k0"
"func.func"() <{function_type = (tensor<?x3xf32, #tc.dims<["B", 3]>>) -> (tensor<?xf32, #tc.dims<["B"]>>, tensor<?xi64, #tc.dims<["B"]>>, tensor<?xi64, #tc.dims<["B"]>>), sym_name = "f"}> ({
^bb0(%x: tensor<?x3xf32, #tc.dims<["B", 3]>>):
  %0:2 = "tc.top1"(%x) <{axes = array<i64: 1>}> : (tensor<?x3xf32, #tc.dims<["B", 3]>>) -> (tensor<?xf32, #tc.dims<["B"]>>, tensor<?xi64, #tc.dims<["B"]>>)
  %1:2 = "tc.top1"(%x) <{axes = array<i64: 1>}> : (tensor<?x3xf32, #tc.dims<["B", 3]>>) -> (tensor<?xf32, #tc.dims<["B"]>>, tensor<?xi64, #tc.dims<["B"]>>)
  "func.return"(%0#0, %1#1, %0#1) : (tensor<?xf32, #tc.dims<["B"]>>, tensor<?xi64, #tc.dims<["B"]>>, tensor<?xi64, #tc.dims<["B"]>>) -> ()
}) : () -> ()
"func.func"() <{function_type = (tensor<?x3xf32, #tc.dims<["B", 3]>>, tensor<7xi32>) -> (tensor<?xf32, #tc.dims<["B"]>>, tensor<3xi64>, tensor<i32>), sym_name = "one"}> ({
^bb0(%x: tensor<?x3xf32, #tc.dims<["B", 3]>>, %n: tensor<7xi32>):
  %0:2 = "tc.top1"(%x) <{axes = array<i64: 1>}> : (tensor<?x3xf32, #tc.dims<["B", 3]>>) -> (tensor<?xf32, #tc.dims<["B"]>>, tensor<?xi64, #tc.dims<["B"]>>)
  %1:2 = "tc.top1"(%x) <{axes = array<i64: 0>}> : (tensor<?x3xf32, #tc.dims<["B", 3]>>) -> (tensor<3xf32>, tensor<3xi64>)
  %2:2 = "tc.top1"(%n) <{axes = array<i64: 0>}> : (tensor<7xi32>) -> (tensor<i32>, tensor<i64>)
  "func.return"(%0#0, %1#1, %2#0) : (tensor<?xf32, #tc.dims<["B"]>>, tensor<3xi64>, tensor<i32>) -> ()
}) : () -> ()
