"""One-hot rows, a classifier's losses, penalties, and descent on a group."""

import numpy as np

import tensorc as tc

# Three people's politics: probabilities that two models compute, and what is true.
FIRST = np.array([[0.3, 0.3, 0.4], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]])
SECOND = np.array([[0.1, 0.2, 0.7], [0.1, 0.7, 0.2], [0.3, 0.4, 0.3]])
TRUTH = np.array([2, 1, 0])

p, y = tc.dmatrix("p"), tc.lvector("y")

# A row of the unit matrix for each label.
one_hot = tc.function([y], tc.eye(3, dtype="float64")[y])
print("One-hot:", one_hot(TRUTH).astype(int).tolist())

# Both models make one mistake in three, but the second one is closer to the truth.
losses = {
    "Zero-one loss": tc.sum(tc.neq(tc.argmax(p, axis=1), y)),
    "Classification error": tc.mean(tc.neq(tc.argmax(p, axis=1), y)),
    "Negative log-likelihood": -tc.sum(tc.log(p)[tc.arange(y.shape[0]), y]),
    "Cross-entropy": tc.mean(tc.categorical_crossentropy(p, y)),
    "Squared error": tc.mean(tc.sum((p - tc.eye(3, dtype="float64")[y]) ** 2, axis=1)),
}
for name, loss in losses.items():
    compute = tc.function([p, y], loss)
    print(f"{name}: {compute(FIRST, TRUTH):.4f} against {compute(SECOND, TRUTH):.4f}")

# The general form: parameters are a group, and so is the gradient.
rng = np.random.default_rng(0)
x = tc.dmatrix("x")
params = tc.group(W=tc.shared(rng.normal(size=(3, 3))), b=tc.shared(np.zeros(3)))
nll = tc.mean(tc.cross_entropy(x @ params["W"] + params["b"], y))
L1, L2 = tc.sum(abs(params)), tc.sum(params**2)
loss = nll + 1e-3 * L1 + 1e-3 * L2
d_loss = tc.grad(loss, params)
train = tc.function([x, y], [nll, L1, L2], updates=[(params, params - 0.5 * d_loss)])
for step in range(100):
    values = train(FIRST, TRUTH)
    if step % 33 == 0:
        print("Step {}: NLL {:.4f}, L1 {:.4f}, L2 {:.4f}".format(step, *values))
