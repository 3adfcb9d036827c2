"""Short programs from tutorials and textbooks, as they are written for NumPy.

Nothing here knows of tensorc: each is run as it stands and under `tc.jit`. Where a
trace stops, the line says so ("# stops").
"""

import math
import random

import numpy as np


def k_means(points, centers):
    for _ in range(5):
        distances = np.sqrt(((points[:, np.newaxis] - centers) ** 2).sum(axis=2))
        labels = np.argmin(distances, axis=1)
        centers = np.array(
            [points[labels == k].mean(axis=0) for k in range(len(centers))]  # stops
        )
    return centers


def principal_component(X, iterations=50):
    X = X - X.mean(axis=0)
    C = X.T @ X / (len(X) - 1)
    v = np.ones(C.shape[0])
    for _ in range(iterations):
        v = C @ v
        v = v / np.linalg.norm(v)
    return v, v @ C @ v


def heat_equation(u, alpha, steps):
    u = u.copy()
    for _ in range(steps):
        u[1:-1] = u[1:-1] + alpha * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


def heat_equation_by_roll(u, alpha, steps):
    for _ in range(steps):
        u = u + alpha * (np.roll(u, 1) - 2 * u + np.roll(u, -1))
    return u


def n_body(positions, velocities, masses, dt=0.01, steps=3):
    for _ in range(steps):
        offsets = positions[np.newaxis, :, :] - positions[:, np.newaxis, :]
        squares = np.sum(offsets**2, axis=-1) + 1e-3
        pulls = masses[:, np.newaxis] * offsets / squares[..., np.newaxis] ** 1.5
        velocities = velocities + dt * pulls.sum(axis=1)
        positions = positions + dt * velocities
    energy = 0.5 * np.sum(masses * np.sum(velocities**2, axis=1))
    return positions, velocities, energy


def mandelbrot(x, y, iterations=20):
    c = x[np.newaxis, :] + 1j * y[:, np.newaxis]  # stops
    z = np.zeros_like(c)
    counts = np.zeros(c.shape, dtype=int)
    for _ in range(iterations):
        z = z**2 + c
        counts += np.abs(z) < 2
    return counts


def mandelbrot_of_reals(x, y, iterations=20):
    a = b = counts = np.zeros((len(y), len(x)))
    for _ in range(iterations):
        a, b = a * a - b * b + x, 2 * a * b + y[:, None]
        inside = a * a + b * b < 4
        a, b = np.where(inside, a, 2.0), np.where(inside, b, 0.0)
        counts = counts + inside
    return counts


def moving_average(a, n=3):
    total = np.cumsum(a)
    total[n:] = total[n:] - total[:-n]
    return total[n - 1 :] / n


def moving_average_by_slices(a, n=3):
    return sum(a[i : len(a) - n + 1 + i] for i in range(n)) / n


def gram_schmidt(vectors):
    basis = []
    for v in vectors:
        w = v - sum(np.dot(v, b) * b for b in basis)
        basis.append(w / np.linalg.norm(w))
    return np.array(basis)


def gram_schmidt_stacked(vectors):
    basis = []
    for v in vectors:
        w = v - sum(np.dot(v, b) * b for b in basis)
        basis.append(w / np.linalg.norm(w))
    return np.stack(basis)


def logistic_regression(X, y, lr=0.1, epochs=20):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(epochs):
        p = 1 / (1 + np.exp(-(X @ w + b)))
        w = w - lr * X.T @ (p - y) / len(y)
        b = b - lr * np.mean(p - y)
    return w, b


def perceptron(X, y, lr=0.1, epochs=5):
    w = np.zeros(X.shape[1])
    for _ in range(epochs):
        for row, label in zip(X, y, strict=True):
            error = label - np.where(row @ w > 0, 1, 0)
            w += lr * error * row
    return w


def game_of_life(Z):
    neighbours = sum(
        np.roll(np.roll(Z, i, axis=0), j, axis=1)
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
        if (i, j) != (0, 0)
    )
    return np.where((neighbours == 3) | ((Z == 1) & (neighbours == 2)), 1, 0)


def linear_regression(x, y, lr=0.05, epochs=50):
    X = np.column_stack([np.ones(len(x)), x])
    theta = np.zeros(X.shape[1])
    for _ in range(epochs):
        gradient = 2 / len(y) * X.T @ (X @ theta - y)
        theta = theta - lr * gradient
    return theta


def pairwise_distances(X, Y):
    difference = X[:, np.newaxis, :] - Y[np.newaxis, :, :]
    return np.sqrt(np.sum(difference**2, axis=-1))


def softmax_classifier(X, y, W, lr=0.1):
    scores = X @ W
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(len(y)), y]))
    targets = np.eye(W.shape[1])[y]
    return loss, W - lr * X.T @ (p - targets) / len(y)


def softmax_loss(X, y, W):
    scores = X @ W
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    return -np.log(p[range(X.shape[0]), y]).mean()


def newton(a, steps=8):
    x = np.ones_like(a)
    for _ in range(steps):
        x = 0.5 * (x + a / x)
    return x


def newton_until(a):
    x = a
    while np.abs(x * x - a).max() > 1e-9:  # stops
        x = 0.5 * (x + a / x)
    return x


def horner(coefficients, x):
    result = np.zeros_like(x)
    for c in coefficients:
        result = result * x + c
    return result


def page_rank(links, damping=0.85, steps=30):
    n = len(links)
    M = links / links.sum(axis=0)
    rank = np.ones(n) / n
    for _ in range(steps):
        rank = damping * M @ rank + (1 - damping) / n
    return rank


def blur(image):
    height, width = image.shape
    padded = np.pad(image, 1)
    result = np.zeros_like(image)
    for dy in range(3):
        for dx in range(3):
            result += padded[dy : dy + height, dx : dx + width]
    return result / 9


def estimate_pi(n):
    points = np.random.random((n, 2))  # stops
    return 4 * np.mean(np.sum(points**2, axis=1) < 1)


def random_walk(start, steps=10):
    for _ in range(steps):
        start = start + random.choice([-1.0, 1.0])
    return start


def two_layers(x, y, w1, w2, lr=0.01):
    h = x.dot(w1)
    h_relu = np.maximum(h, 0)
    y_pred = h_relu.dot(w2)
    loss = np.square(y_pred - y).sum()
    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.T.dot(grad_y_pred)
    grad_h = grad_y_pred.dot(w2.T).copy()
    grad_h[h < 0] = 0
    return loss, w1 - lr * x.T.dot(grad_h), w2 - lr * grad_w2


def trapezoid(y, x):
    return np.sum((y[1:] + y[:-1]) / 2 * np.diff(x))


def normal_distribution(x, mean, deviation):
    scale = 1 / (deviation * math.sqrt(2 * math.pi))
    return scale * np.exp(-0.5 * ((x - mean) / deviation) ** 2)


def rotate(points, angle):
    c, s = np.cos(angle), np.sin(angle)
    R = np.array([[c, -s], [s, c]])
    return points @ R.T


def cosine_similarities(X):
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    normed = X / norms
    return normed @ normed.T


def min_max_scaled(X):
    return (X - X.min(axis=0)) / np.ptp(X, axis=0)


def k_nearest(X, point, k=3):
    distances = np.linalg.norm(X - point, axis=1)
    nearest = np.argsort(distances)[:k]
    return X[nearest].mean(axis=0)


def least_squares(X, y):
    return np.linalg.solve(X.T @ X, X.T @ y)  # stops


def prefix_sums(a):
    total = np.zeros(len(a) + 1)
    for i in range(len(a)):
        total[i + 1] = total[i] + a[i]
    return total


def explicit_euler(state, dt=0.1, steps=5):
    path = np.empty((steps + 1, state.shape[0]))
    path[0] = state
    for k in range(steps):
        x, v = path[k]
        path[k + 1] = x + dt * v, v - dt * x
    return path


def laplace(grid, sweeps=4):
    grid = np.copy(grid)
    for _ in range(sweeps):
        grid[1:-1, 1:-1] = 0.25 * (
            grid[2:, 1:-1] + grid[:-2, 1:-1] + grid[1:-1, 2:] + grid[1:-1, :-2]
        )
    return grid


def winsorized(x, low, high):
    y = x.copy()
    y[y < low] = low
    y[y > high] = high
    return y


def without_nan(x):
    y = x + 0.0
    y[np.isnan(y)] = 0
    return y


def normalized_rows(M):
    M = M.copy()
    for row in M:
        row /= np.abs(row).sum()
    return M


def one_hot(labels, count=4):
    table = np.zeros((labels.shape[0], count))
    table[np.arange(labels.shape[0]), labels] = 1
    return table


def vandermonde(x, degree=3):
    V = np.ones((len(x), degree + 1))
    for j in range(1, degree + 1):
        V[:, j] = V[:, j - 1] * x
    return V


def gauss_seidel(A, b, sweeps=3):
    x = np.zeros_like(b)
    for _ in range(sweeps):
        for i in range(len(b)):
            x[i] = (b[i] - A[i] @ x + A[i, i] * x[i]) / A[i, i]
    return x


def cholesky(A):
    n = A.shape[0]
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            rest = A[i, j] - L[i, :j] @ L[j, :j]
            if i == j:
                L[i, j] = np.sqrt(rest)
            else:
                L[i, j] = rest / L[j, j]
    return L


def back_substitution(U, b):
    x = np.zeros(len(b))
    for i in reversed(range(len(b))):
        x[i] = (b[i] - U[i, i + 1 :] @ x[i + 1 :]) / U[i, i]
    return x


def edit_costs(a, b):
    costs = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    costs[:, 0] = np.arange(len(a) + 1)
    costs[0] = np.arange(len(b) + 1)
    for i in range(len(a)):
        for j in range(len(b)):
            replaced = costs[i, j] + (a[i] != b[j])
            kept = np.minimum(costs[i, j + 1], costs[i + 1, j]) + 1
            costs[i + 1, j + 1] = np.minimum(replaced, kept)
    return costs[-1, -1]


def momentum(w, gradient, lr=0.1, steps=4):
    velocity = np.zeros(w.shape)
    w = w.copy()
    for _ in range(steps):
        velocity *= 0.9
        velocity -= lr * gradient
        w += velocity
    return w


def sharpened(image):
    out = np.zeros_like(image)
    out[1:-1, 1:-1] = 5 * image[1:-1, 1:-1]
    out[1:-1, 1:-1] -= image[2:, 1:-1] + image[:-2, 1:-1]
    out[1:-1, 1:-1] -= image[1:-1, 2:] + image[1:-1, :-2]
    out[out < 0] = 0
    return out


def swapped_halves(x):
    y = np.empty(x.shape)
    half = len(x) // 2
    y[:half], y[half:] = x[-half:], x[:-half]
    return y


def rotation_about_z(angle):
    R = np.eye(3)
    c, s = np.cos(angle), np.sin(angle)
    R[0, 0] = R[1, 1] = c
    R[0, 1], R[1, 0] = -s, s
    return R


def newton_basis(x, y):
    table = y.copy()
    for k in range(1, len(x)):
        table[k:] = (table[k:] - table[k - 1 : -1]) / (x[k:] - x[:-k])
    return table
