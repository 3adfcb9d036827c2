"""Small artifacts by hand: LLVM IR with the ABI of `tensorc.artifact`.

Used by the tests of the runtime, which must not depend on the compiler.
"""

from functools import cache

from llvmlite import binding as llvm

from tensorc.artifact import Argument, Artifact, FunctionInfo, Guard, Result, Site
from tensorc.errors import Location
from tensorc.runtime.cpu import Library, link
from tensorc.runtime.function import CompiledFunction

SITE = Location("toy.tc", 7, 5)

# For each batch: add i * stride to a private copy of each slot, call the entry.
DRIVER = """
define i64 @{symbol}_epoch(ptr %slots, ptr %strides, i64 %first, i64 %last,
                           ptr %stop, ptr %status) {{
start:
  %own = alloca [{words} x i64]
  br label %batch
batch:
  %i = phi i64 [ %first, %start ], [ %next, %succeeded ]
  %more = icmp slt i64 %i, %last
  br i1 %more, label %poll, label %done
poll:
  %word = load volatile i32, ptr %stop
  %stopped = icmp ne i32 %word, 0
  br i1 %stopped, label %done, label %copy
copy:
  %s = phi i64 [ 0, %poll ], [ %s1, %copy ]
  %from = getelementptr i64, ptr %slots, i64 %s
  %by = getelementptr i64, ptr %strides, i64 %s
  %to = getelementptr i64, ptr %own, i64 %s
  %base = load i64, ptr %from
  %stride = load i64, ptr %by
  %offset = mul i64 %i, %stride
  %sum = add i64 %base, %offset
  store i64 %sum, ptr %to
  %s1 = add i64 %s, 1
  %again = icmp slt i64 %s1, {words}
  br i1 %again, label %copy, label %call
call:
  %r = call i32 @{symbol}(ptr %own, i64 0, i64 1)
  %failed = icmp ne i32 %r, 0
  br i1 %failed, label %fail, label %succeeded
succeeded:
  %next = add i64 %i, 1
  br label %batch
fail:
  store i32 %r, ptr %status
  br label %done
done:
  ret i64 %i
}}
"""

# step add(x: f32[B]; w: f64, lr: f64) -> f64: result w, w <- w + lr * sum(x).
# An element below 0 is an index error before anything is committed.
ADD = """
define i32 @add(ptr %slots, i64 %begin, i64 %end) {
start:
  %p1 = getelementptr ptr, ptr %slots, i64 1
  %p2 = getelementptr ptr, ptr %slots, i64 2
  %p3 = getelementptr ptr, ptr %slots, i64 3
  %p5 = getelementptr ptr, ptr %slots, i64 6
  %p6 = getelementptr i64, ptr %slots, i64 7
  %w = load ptr, ptr %slots
  %x = load ptr, ptr %p1
  %lrp = load ptr, ptr %p2
  %out = load ptr, ptr %p3
  %record = load ptr, ptr %p5
  %n = load i64, ptr %p6
  %old = load double, ptr %w
  br label %head
head:
  %i = phi i64 [ 0, %start ], [ %i1, %good ]
  %s = phi double [ 0.0, %start ], [ %s1, %good ]
  %in = icmp slt i64 %i, %n
  br i1 %in, label %body, label %commit
body:
  %px = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %px, align 4
  %bad = fcmp olt float %v, 0.0
  br i1 %bad, label %fail, label %good
good:
  %d = fpext float %v to double
  %s1 = fadd double %s, %d
  %i1 = add i64 %i, 1
  br label %head
fail:
  %iv = fptosi float %v to i64
  %r1 = getelementptr i64, ptr %record, i64 1
  %r2 = getelementptr i64, ptr %record, i64 2
  %r3 = getelementptr i64, ptr %record, i64 3
  store i64 0, ptr %record
  store i64 1, ptr %r1
  store i64 %iv, ptr %r2
  store i64 10, ptr %r3
  ret i32 1
commit:
  %lr = load double, ptr %lrp
  %step = fmul double %lr, %s
  %new = fadd double %old, %step
  store double %new, ptr %w
  store double %old, ptr %out
  ret i32 0
}
"""

# fn curve(x: f32[B]; w: f64, table: f32[N]) -> f32: table[int(w) - 1].
CURVE = """
define i32 @curve(ptr %slots, i64 %begin, i64 %end) {
  %p2 = getelementptr ptr, ptr %slots, i64 2
  %p3 = getelementptr ptr, ptr %slots, i64 3
  %w = load ptr, ptr %slots
  %table = load ptr, ptr %p2
  %out = load ptr, ptr %p3
  %t = load double, ptr %w
  %i = fptosi double %t to i64
  %j = sub i64 %i, 1
  %pv = getelementptr float, ptr %table, i64 %j
  %v = load float, ptr %pv
  store float %v, ptr %out
  ret i32 0
}
"""

# fn first(x: f32[B, 2], y: i64[B], k: i1) -> (f32[2], i64, u8[B * 131072]): the first
# row, the last label, and nothing stored in the third.
FIRST = """
define i32 @first(ptr %slots, i64 %begin, i64 %end) {
  %p1 = getelementptr ptr, ptr %slots, i64 1
  %p3 = getelementptr ptr, ptr %slots, i64 3
  %p4 = getelementptr ptr, ptr %slots, i64 4
  %p8 = getelementptr i64, ptr %slots, i64 9
  %x = load ptr, ptr %slots
  %y = load ptr, ptr %p1
  %row = load ptr, ptr %p3
  %label = load ptr, ptr %p4
  %n = load i64, ptr %p8
  %v = load <2 x float>, ptr %x, align 4
  store <2 x float> %v, ptr %row, align 4
  %m = sub i64 %n, 1
  %py = getelementptr i64, ptr %y, i64 %m
  %l = load i64, ptr %py
  store i64 %l, ptr %label
  ret i32 0
}
"""

# fn touch(x: f32[B]): no result; fills the arena of 8 * B bytes.
TOUCH = """
define i32 @touch(ptr %slots, i64 %begin, i64 %end) {
  %p1 = getelementptr ptr, ptr %slots, i64 1
  %p3 = getelementptr i64, ptr %slots, i64 4
  %arena = load ptr, ptr %p1
  %n = load i64, ptr %p3
  %bytes = mul i64 %n, 8
  call void @llvm.memset.p0.i64(ptr align 64 %arena, i8 7, i64 %bytes, i1 false)
  ret i32 0
}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""


def info(name, arguments, results, symbols, guards=(), arena=0):
    return FunctionInfo(
        name,
        name,
        f"{name}_epoch",
        tuple(Argument(*a) for a in arguments),
        tuple(Result("", *r) for r in results),
        symbols,
        guards,
        arena,
        (Site(SITE),),
    )


W = ("w", "shared", "f64", ())
X = ("x", "input", "f32", ("B",))
EVEN = Guard("B", ("*", 2, ("//", "B", 2)), "B must be even", Location("toy.tc", 3, 1))
BIG = ("*", "B", 131072)

INFOS = (
    info("add", [W, X, ("lr", "hyper", "f64", ())], [("f64", ())], ("B",)),
    info(
        "curve", [W, X, ("table", "shared", "f32", ("N",))], [("f32", ())], ("B", "N")
    ),
    info(
        "first",
        [
            ("x", "input", "f32", ("B", 2)),
            ("y", "input", "i64", ("B",)),
            ("k", "input", "i1", ()),
        ],
        [("f32", (2,)), ("i64", ()), ("ui8", (BIG,))],
        ("B",),
    ),
    info("touch", [X], [], ("B",), (EVEN,), ("*", 8, "B")),
)


def words(function):
    return len(function.arguments) + len(function.results) + 3 + len(function.symbols)


def emit(text):
    """Compile LLVM IR to a position-independent object."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(opt=1, reloc="pic", codemodel="default")
    module = llvm.parse_assembly(text)
    module.verify()
    return machine.emit_object(module)


@cache
def artifact():
    drivers = [DRIVER.format(symbol=f.symbol, words=words(f)) for f in INFOS]
    return Artifact("cpu", emit("\n".join([ADD, CURVE, FIRST, TOUCH, *drivers])), INFOS)


@cache
def library() -> Library:
    return link(artifact())


def function(name, shared=None, hypers=None):
    chosen = next(f for f in INFOS if f.name == name)
    return CompiledFunction(chosen, library(), shared or {}, hypers or {})
