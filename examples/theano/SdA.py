"""A stacked denoising autoencoder on MNIST, in the tutorials' style.

python -m tensorc.theano examples/theano/SdA.py [pretraining] [training] [digits]
"""

import sys

import numpy
import theano
import theano.tensor as T
from dA import dA
from logistic_sgd import LogisticRegression, fit, load_data, models_of
from mlp import HiddenLayer
from theano.tensor.shared_randomstreams import RandomStreams


class SdA:
    """Layers that are autoencoders first, and then those of a classifier."""

    def __init__(self, rng, n_ins=784, hidden_layers_sizes=(500, 500), n_outs=10):
        theano_rng = RandomStreams(rng.randint(2**30))
        self.sigmoid_layers, self.dA_layers, self.params = [], [], []
        self.x = T.matrix("x")
        self.y = T.ivector("y")
        layer_input, input_size = self.x, n_ins
        for size in hidden_layers_sizes:
            layer = HiddenLayer(
                rng=rng,
                input=layer_input,
                n_in=input_size,
                n_out=size,
                activation=T.nnet.sigmoid,
            )
            self.sigmoid_layers.append(layer)
            self.params.extend(layer.params)
            # Both have the same weights and biases.
            autoencoder = dA(
                rng, theano_rng, layer_input, input_size, size, W=layer.W, bhid=layer.b
            )
            self.dA_layers.append(autoencoder)
            layer_input, input_size = layer.output, size
        self.logLayer = LogisticRegression(layer_input, input_size, n_outs)
        self.params.extend(self.logLayer.params)
        self.finetune_cost = self.logLayer.negative_log_likelihood(self.y)
        self.errors = self.logLayer.errors(self.y)

    def pretraining_functions(self, train_set_x, batch_size):
        """Return a step for each layer: of a batch's number, the noise, the rate."""
        index = T.lscalar("index")
        corruption_level = T.scalar("corruption")
        learning_rate = T.scalar("lr")
        rows = slice(index * batch_size, (index + 1) * batch_size)
        pretrain_fns = []
        for layer in self.dA_layers:
            cost, updates = layer.get_cost_updates(corruption_level, learning_rate)
            fn = theano.function(
                inputs=[
                    index,
                    theano.In(corruption_level, value=0.2),
                    theano.In(learning_rate, value=0.1),
                ],
                outputs=cost,
                updates=updates,
                givens={self.x: train_set_x[rows]},
            )
            pretrain_fns.append(fn)
        return pretrain_fns


def train_SdA(pretraining=15, training=1000, limit=None, batch_size=10):
    """Train layer by layer, then all layers together, and print what comes of it."""
    datasets = load_data(limit)
    train_set_x = datasets[0][0]
    n_train_batches = train_set_x.get_value(borrow=True).shape[0] // batch_size
    sda = SdA(numpy.random.RandomState(89677))
    functions = sda.pretraining_functions(train_set_x, batch_size)
    for i, (fn, corruption) in enumerate(zip(functions, (0.1, 0.2), strict=True)):
        for epoch in range(pretraining):
            c = [
                fn(index=batch, corruption=corruption, lr=0.01)
                for batch in range(n_train_batches)
            ]
            print(f"layer {i}, epoch {epoch}, cost {numpy.mean(c):f}")
    gparams = T.grad(sda.finetune_cost, sda.params)
    updates = [(p, p - 0.1 * g) for p, g in zip(sda.params, gparams, strict=True)]
    models, sizes = models_of(
        sda.finetune_cost, sda.errors, updates, datasets, sda.x, sda.y, batch_size
    )
    patience = 10 * n_train_batches
    best, test, epochs = fit(models, sizes, training, patience)
    print(f"best validation {best * 100:f} %, test {test * 100:f} %, {epochs} epochs")


if __name__ == "__main__":
    train_SdA(*map(int, sys.argv[1:]))
