"""The `Embedding` layer in two short models: the example of its documentation, and a classifier of short texts."""

from __future__ import annotations

import numpy as np

from fastembed_layer import Dense, Embedding, GlobalAveragePooling1D, Sequential, initializers, optimizers

SUBJECTS = {
    "kitchen": "bake boil butter chop cinnamon dough fry garlic grill honey knead lemon mix oven peel pepper pinch "
    "recipe roast salt sauce simmer slice soup spoon stir sugar taste whisk yeast",
    "sky": "asteroid astronomer aurora comet cosmos crater dusk eclipse galaxy gravity horizon lens lunar meteor moon "
    "nebula night orbit planet pulsar quasar rocket satellite solar spectrum star sunrise telescope twilight zenith",
    "garden": "bed bloom branch bulb bush compost daisy dig fern fertilizer fruit grass greenhouse hedge hoe ivy lawn "
    "leaf mow mulch petal plant prune rake root rose seed soil sprout weed",
}
COMMON = "a and at before but every first for from how in it more new of off on or over small some that the this to "
COMMON += "under was we when with you"
LENGTH = 20


def look_up() -> None:
    """Run the example of the layer's documentation."""
    model = Sequential()
    model.add(Embedding(1000, 64, input_length=10))
    # The model takes an integer matrix of size (batch, input_length), with integers in [0, 1000).
    input_array = np.random.randint(1000, size=(32, 10))  # noqa: NPY002 - as in the documentation
    model.compile("rmsprop", "mse")
    output_array = model.predict(input_array)
    print(f"ids {input_array.shape} -> vectors {output_array.shape}; the model's output shape is {model.output_shape}")


def write_text(subject: str, random: np.random.Generator) -> str:
    """Write a line of 8 to 20 words: mostly common words, some of its subject, now and then one of another."""
    length = random.integers(8, LENGTH + 1)
    other = random.choice(list(SUBJECTS))
    kinds = random.choice([COMMON, SUBJECTS[subject], SUBJECTS[other]], size=length, p=[0.55, 0.4, 0.05])
    return " ".join(random.choice(kind.split()) for kind in kinds)


def number_words(texts: list[str], numbers: dict[str, int]) -> np.ndarray:
    """Turn texts into rows of ids, padded with 0."""
    ids = np.zeros((len(texts), LENGTH), np.int64)
    for row, text in zip(ids, texts, strict=True):
        words = text.split()
        row[: len(words)] = [numbers[word] for word in words]
    return ids


def classify_texts() -> float:
    """Train a classifier that averages word vectors, padding left out; returns its accuracy on unseen texts."""
    random = np.random.default_rng(0)
    initializers.set_seed(0)
    labels = random.integers(len(SUBJECTS), size=4000)
    texts = [write_text(list(SUBJECTS)[label], random) for label in labels]
    vocabulary = sorted(set(" ".join([*SUBJECTS.values(), COMMON]).split()))
    ids = number_words(texts, {word: number for number, word in enumerate(vocabulary, start=1)})

    model = Sequential()
    model.add(Embedding(len(vocabulary) + 1, 16, mask_zero=True))  # id 0 is padding, so one row more than words
    model.add(GlobalAveragePooling1D())
    model.add(Dense(len(SUBJECTS), activation="softmax"))
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(ids[:3000], labels[:3000], epochs=4, validation_data=(ids[3000:], labels[3000:]), verbose=2)
    model.summary()
    accuracy: float = model.evaluate(ids[3000:], labels[3000:], verbose=0, return_dict=True)["accuracy"]
    for text, row in zip(texts[3000:3003], model.predict(ids[3000:3003]), strict=True):
        print(f"{list(SUBJECTS)[row.argmax()]:>8} ({row.max():.0%}): {text}")
    print(f"accuracy on texts it has not seen: {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    look_up()
    classify_texts()
