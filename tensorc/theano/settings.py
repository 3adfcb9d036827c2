"""`config`: Theano's settings. `floatX` is the package's; others change nothing."""

from dataclasses import replace
from types import SimpleNamespace

from tensorc.frontend.library.mistakes import argument_error, hiding_methods
from tensorc.frontend.python.symbolic_operands import DOOR, element_named, float_x

# What a tutorial may read or set; the package has one way of doing these.
_PLAIN = {
    "allow_gc": True,
    "base_compiledir": "",
    "blas": "",
    "compute_test_value": "off",
    "cxx": "",
    "device": "cpu",
    "exception_verbosity": "low",
    "gcc": "",
    "init_gpu_device": "",
    "lib": "",
    "linker": "cvm",
    "mode": "Mode",
    "on_unused_input": "raise",
    "openmp": False,
    "optimizer": "fast_run",
    "print_test_value": False,
    "profile": False,
    "scan": "",
    "warn_float64": "ignore",
}
_FIXED = {"device": ("cpu",), "compute_test_value": ("off", "ignore")}


def float_name() -> str:
    """Return the name of the type that floats have where nothing else is said."""
    return str(float_x().dtype)


@hiding_methods
class Config:
    """Theano's `config`. `floatX` is the type of `T.matrix()` and of Python floats.

    Raises:
        ValueError: a value that this package has not: a device but the CPU, say.
        AttributeError: there is no such setting.
    """

    def __init__(self) -> None:
        self.__dict__.update(_PLAIN)
        self.__dict__["warn"] = SimpleNamespace()  # of bugs that Theano once had

    @property
    def floatX(self) -> str:
        """The type of variables without a type of their own, "float32" or "float64"."""
        return float_name()

    @floatX.setter
    def floatX(self, name: str) -> None:
        """Choose the type; ValueError of another one."""
        if name not in ("float32", "float64"):
            message = f"floatX is 'float32' or 'float64', got {name!r:.40}"
            raise argument_error(message)
        DOOR.set(replace(DOOR.get(), default_float=element_named(name)))

    def __getattr__(self, name: str) -> object:
        raise AttributeError(f"theano.config has no setting '{name}'")

    def set(self, name: str, value: object) -> None:
        """Give a setting a value; a name with a point is of a part: "warn.x"."""
        first = name.partition(".")[0]
        if first != name and first in self.__dict__:
            return
        setattr(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "floatX":
            super().__setattr__(name, value)
            return
        if name not in self.__dict__:
            raise AttributeError(f"theano.config has no setting '{name}'")
        if value not in _FIXED.get(name, (value,)):
            there = " or ".join(map(repr, _FIXED[name]))
            raise argument_error(f"config.{name} is {there} here, got {value!r:.40}")
        self.__dict__[name] = value


config = Config()
