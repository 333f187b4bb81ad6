"""Make tests/kmodel/keras2_files: small networks as Keras 2 saved them, and what they answer.

A run makes the zip of one version: models, their answers, and weights without their model.

    python3.7 -m venv a && a/bin/pip install tensorflow-cpu==1.15.0 keras==2.2.4 'h5py<3' \
        'protobuf<3.21' 'numpy<1.19'
    python3.7 -m venv b && b/bin/pip install tensorflow-cpu==2.3.4 'h5py<3' 'protobuf<3.21'
    python3.8 -m venv c && c/bin/pip install tensorflow-cpu==2.6.5 keras==2.6.0 'protobuf<3.21'
    python3.10 -m venv d && d/bin/pip install tensorflow-cpu==2.15.1
    a/bin/python tests/kmodel/make_keras2_files.py keras224
    a/bin/python tests/kmodel/make_keras2_files.py tf115
    b/bin/python tests/kmodel/make_keras2_files.py tf23
    c/bin/python tests/kmodel/make_keras2_files.py tf26
    d/bin/python tests/kmodel/make_keras2_files.py tf215
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

if sys.argv[1] == "keras224":
    import keras

    tf = None
else:
    import tensorflow as tf
    from tensorflow import keras

layers = keras.layers
FOLDER = Path(__file__).resolve().parent / "keras2_files"
SIDE = 16


def trunk(x):
    """The first layers of a MobileNet, with the padding that the chip has."""
    x = layers.ZeroPadding2D(((1, 1), (1, 1)), name="conv1_pad")(x)
    x = layers.Conv2D(4, 3, strides=2, padding="valid", use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="conv1_bn")(x)
    x = layers.ReLU(6.0, name="conv1_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="conv_dw_1")(x)
    x = layers.BatchNormalization(name="conv_dw_1_bn")(x)
    x = layers.ReLU(6.0, name="conv_dw_1_relu")(x)
    x = layers.Conv2D(6, 1, padding="same", use_bias=False, name="conv_pw_1")(x)
    x = layers.BatchNormalization(name="conv_pw_1_bn")(x)
    return layers.ReLU(6.0, name="conv_pw_1_relu")(x)


def picture():
    return layers.Input((SIDE, SIDE, 3))


def whole():
    """keras.applications.MobileNet's own head."""
    start = picture()
    x = layers.GlobalAveragePooling2D()(trunk(start))
    x = layers.Reshape((1, 1, 6), name="reshape_1")(x)
    x = layers.Dropout(0.001)(x)
    x = layers.Conv2D(3, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((3,), name="reshape_2")(x)
    return keras.Model(start, layers.Activation("softmax", name="act_softmax")(x))


def transfer():
    """A trunk that was trained elsewhere, called like a layer, and a head of one's own."""
    inside = picture()
    base = keras.Model(inside, trunk(inside), name="mobilenet_0.25_16")
    base.trainable = False
    start = picture()
    x = layers.GlobalAveragePooling2D()(base(start))
    x = layers.Dense(8, activation="relu")(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(start, layers.Dense(3, activation="softmax")(x))


def cut():
    """The head behind the outputs of a model, as in `Model(base.input, head(base.output))`."""
    start = picture()
    base = keras.Model(start, trunk(start))
    x = layers.Flatten()(layers.MaxPooling2D((2, 2))(base.output))
    return keras.Model(base.input, layers.Dense(3, activation="softmax")(x))


def sequential():
    return keras.Sequential([
        layers.Conv2D(4, (3, 3), padding="same", input_shape=(SIDE, SIDE, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.SeparableConv2D(6, (3, 3), padding="same"),
        layers.BatchNormalization(axis=-1),
        layers.Activation("relu"),
        layers.MaxPooling2D(pool_size=(2, 2), strides=(2, 2)),
        layers.Flatten(),
        layers.Dense(5, activation="tanh"),
        layers.Dropout(0.5),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def stacked():
    """Sequential([base, pooling, dense])."""
    inside = picture()
    base = keras.Model(inside, trunk(inside))
    return keras.Sequential(
        [base, layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    )


def yolo():
    """The parts of a tiny YOLO v2, grid and boxes as the last axes."""
    start = x = picture()
    for number, filters in enumerate((4, 6), 1):
        x = layers.Conv2D(filters, (3, 3), strides=(1, 1), padding="same",
                          name=f"conv_{number}", use_bias=False)(x)  # fmt: skip
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.LeakyReLU(alpha=0.1)(x)
        x = layers.MaxPooling2D(pool_size=(2, 2))(x)
    x = layers.Conv2D(2 * 7, (1, 1), padding="same", name="detection_layer_14")(x)
    return keras.Model(start, layers.Reshape((4, 4, 2, 7))(x))


def residual():
    start = picture()
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(start)
    b = layers.Conv2D(4, 3, padding="same")(a)
    a = layers.ReLU()(layers.add([a, b]))
    b = layers.UpSampling2D((2, 2))(layers.AveragePooling2D()(a))
    x = layers.Concatenate()([a, b])
    return keras.Model(start, layers.Conv2D(3, 1, activation="sigmoid")(x))


def operators():
    """Arithmetic on tensors, as `preprocess_input` and hard swish bring it."""
    start = picture()
    x = start / 127.5 - 1.0
    a = layers.Conv2D(4, 3, padding="same")(x)
    a = a * (tf.nn.relu6(a + 3.0) / 6.0)
    b = 1.0 - tf.nn.sigmoid(layers.Conv2D(4, 3, padding="same")(a))
    x = tf.concat([a + b, tf.nn.relu(b)], axis=-1)
    x = tf.nn.leaky_relu(layers.Conv2D(4, 1)(x), alpha=0.1)
    x = tf.reduce_mean(x, axis=[1, 2])
    return keras.Model(start, tf.nn.softmax(layers.Dense(3)(x)))


def preprocess():
    start = picture()
    x = start
    x = keras.applications.mobilenet_v2.preprocess_input(x)
    x = trunk(x)
    x = tf.reshape(tf.nn.max_pool2d(x, 2, 2, "VALID"), [-1, 96])
    return keras.Model(start, layers.Dense(3)(x))


def augmented():
    """A data augmentation inside the network, as TensorFlow's tutorials have it."""
    place = getattr(layers.experimental, "preprocessing", layers)
    inside = keras.Sequential([place.RandomFlip("horizontal"), place.RandomRotation(0.1)])
    start = picture()
    x = place.Rescaling(1.0 / 127.5, offset=-1)(inside(start))
    x = trunk(x)
    return keras.Model(start, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def refused():
    start = picture()
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(start)
    return keras.Model(start, tf.image.resize(x, [24, 24], name="enlarge"))


BOTH = [whole, transfer, cut, sequential, stacked, yolo, residual]
SETS = {
    "keras224": ((transfer, sequential, yolo), (".h5",)),
    "tf115": (BOTH, (".h5",)),
    "tf23": ((transfer, yolo, augmented), (".h5",)),
    "tf26": ((transfer, operators, preprocess, augmented), (".h5",)),
    "tf215": ([*BOTH, operators, preprocess, augmented, refused], (".h5", ".keras")),
}


def main():
    version = sys.argv[1]
    networks, endings = SETS[version]
    x = np.random.RandomState(1).randint(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8)
    answers = {"pictures": x}
    with tempfile.TemporaryDirectory() as folder:
        for build in networks:
            keras.backend.clear_session()
            model = shaken(build())
            own = build.__name__ in ("operators", "preprocess", "augmented")
            answers[build.__name__] = model.predict(x.astype(np.float32) / (1 if own else 255))
            for ending in endings:
                model.save(str(Path(folder, build.__name__ + ending)))
            if build is transfer:
                model.save_weights(str(Path(folder, "weights.h5")))
        np.savez(str(Path(folder, "answers.npz")), **answers)
        pack(Path(folder), FOLDER / (version + ".zip"))


def shaken(model):
    """Give every batch norm numbers of its own, also inside."""
    random = np.random.RandomState(2)
    for one in [model, *(one for one in model.layers if hasattr(one, "layers"))]:
        for layer in one.layers:
            if isinstance(layer, layers.BatchNormalization):
                made = [random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()]
                layer.set_weights(made)
    return model


def pack(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(folder.iterdir()):
            made.write(str(path), path.name)


if __name__ == "__main__":
    main()
