"""`fit` for functions at hand: a recipe is made of options, as the doors make it."""

from tensorc.errors import UNKNOWN
from tensorc.recipes import OPTIONS, DataCall, Fit
from tensorc.runtime.training import fit as training
from tensorc.runtime.training.preparing import Roles


def recipe_of(data="toy", step="add", **options):
    """Return a recipe whose functions are named, not looked up."""
    return Fit(**{"data": DataCall(data), "step": step, "batch": 1, **options})


def fit(step, dataset, *, validate=None, test=None, location=UNKNOWN, **options):
    """Train with functions; options of the recipe and of the loop stand together."""
    said = {n: options.pop(n) for n in OPTIONS["fit"] if n in options}
    functions = Roles(step, validate, test)
    named = {
        "validate": validate.name if validate else None,
        "test": test.name if test else None,
    }
    recipe = recipe_of(dataset.name, step.name, location=location, **named, **said)
    return training.fit(recipe, functions, dataset, **options)
