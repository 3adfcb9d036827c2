"""`OrderedUpdates`: pairs (shared, new value), as Theano's `scan` gives them."""

from collections import OrderedDict


class OrderedUpdates(OrderedDict[object, object]):
    """New values of shared variables, in order."""

    def __add__(self, other: "OrderedUpdates") -> "OrderedUpdates":
        """Return the updates of both; `other` is later."""
        return OrderedUpdates([*self.items(), *other.items()])
