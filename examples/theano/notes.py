"""The pieces of the fifth tutorial: losses, dropout, one-hot rows, penalties, a step.

python -m tensorc.theano examples/theano/notes.py
"""

import numpy as np
import theano
import theano.tensor as T
from logistic_sgd import load_data
from theano.tensor.shared_randomstreams import RandomStreams

# Two classifiers that are wrong as often: the cross-entropy tells them apart.
targets = np.array([2, 1, 0])
p_y_given_x, y = T.matrix("p"), T.lvector("y")
zero_one_loss = T.sum(T.neq(T.argmax(p_y_given_x, axis=1), y))
LP = T.log(p_y_given_x)
NLL = -T.sum(LP[T.arange(y.shape[0]), y])
losses = theano.function([p_y_given_x, y], [zero_one_loss, NLL / y.shape[0]])
for table in (
    [[0.3, 0.3, 0.4], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]],
    [[0.1, 0.2, 0.7], [0.1, 0.7, 0.2], [0.3, 0.4, 0.3]],
):
    wrong, entropy = losses(np.array(table), targets)
    print(f"wrong: {wrong}, mean cross-entropy: {entropy:.4f}")

# Dropout: a call draws which elements stay.
trng = RandomStreams(234)


def dropout_layer(state_prev, dropout_percent):
    """Return a layer's state with a part of it set to 0."""
    return T.switch(
        trng.binomial(size=state_prev.shape, p=dropout_percent), state_prev, 0
    )


state = T.matrix("state")
drop = theano.function([state], dropout_layer(state, 0.5))
print(drop(np.arange(1.0, 11).reshape(2, 5)))

# Labels are stored as floats, and cast where they are used.
(train_set_x, train_set_y), _, _ = load_data(2000)
batch_size = 500
data = train_set_x[2 * batch_size : 3 * batch_size]
label = train_set_y[2 * batch_size : 3 * batch_size]
print(data.shape, label.dtype)

# A row of the unit matrix for each class.
classes = T.lvector("classes")
print(T.eye(2)[classes].eval({classes: np.array([0, 1, 0, 1, 1, 0])}))

# A step of gradient descent with two penalties, all parameters at once.
epsilon = np.float32(0.01)
x, labels = T.matrix("x"), T.ivector("labels")
rng = np.random.RandomState(1)
w = theano.shared((0.01 * rng.randn(784, 10)).astype("float32"), name="w")
b = theano.shared(np.zeros(10, "float32"), name="b")
params = [w, b]
p = T.nnet.softmax(T.dot(T.cast(x, "float32"), w) + b)
likelihood = -T.mean(T.log(p)[T.arange(labels.shape[0]), labels])
L1, L2 = T.sum(abs(w)), T.sum(w**2)
loss = likelihood + np.float32(0.0001) * L1 + np.float32(0.0001) * L2
d_loss_wrt_params = T.grad(loss, params)
updates = [
    (param, param - epsilon * d)
    for param, d in zip(params, d_loss_wrt_params, strict=True)
]
MSGD = theano.function([], loss, updates=updates, givens={x: data, labels: label})
for _ in range(5):
    print(f"current loss is {MSGD():.6f}")
