"""What cannot be honoured is one clear error, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bridged import BACKEND, QUIET, ROWS, WIDTH, fast, first_table, fit, keras, make_data, our_model, table_of

pytestmark = QUIET
optimizers = keras.optimizers


class Mine(optimizers.SGD):
    """An optimizer of somebody else."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.assign_sub(variable, gradient)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "averages": (lambda: optimizers.SGD(use_ema=True), "`use_ema` must be False"),
    "clipping what is accumulated": (
        lambda: optimizers.SGD(global_clipnorm=1.0, gradient_accumulation_steps=2),
        "`global_clipnorm` and `gradient_accumulation_steps` do not go together",
    ),
    "a subclass": (lambda: Mine(), "follows the optimizers of Keras and not subclasses of them"),
    "Adafactor": (lambda: optimizers.Adafactor(), "not local to rows"),
    "Muon": (lambda: optimizers.Muon(), "not local to rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_optimizer_that_the_table_cannot_follow_is_refused_with_the_way_out(name: str) -> None:
    make, message = REFUSED[name]
    model = our_model(make())
    with pytest.raises(ValueError, match=message) as caught:
        fit(model, make_data(1))
    assert "optimizer=" in str(caught.value)
    np.testing.assert_array_equal(table_of(model), first_table())


def test_a_layer_with_its_own_optimizer_goes_with_any_of_them() -> None:
    model = our_model(Mine(0.01), optimizer="adam")
    fit(model, make_data(2))
    assert np.abs(table_of(model) - first_table()).max() > 0


def test_an_id_out_of_range_stops_fit_before_anything_is_written() -> None:
    ids, targets = make_data(1)
    ids[2, 3] = ROWS
    model = our_model(optimizers.Adam(0.01))
    with pytest.raises(Exception, match=rf"indices\[2,3\] = {ROWS} is not in \[0, {ROWS}\)") as caught:
        fit(model, (ids, targets))
    assert isinstance(caught.value, IndexError) or BACKEND == "tensorflow"
    np.testing.assert_array_equal(table_of(model), first_table())
    for dense in model.layers[2:]:
        assert all(np.isfinite(weight).all() for weight in dense.get_weights())
    fit(model, make_data(1))
    assert np.abs(table_of(model) - first_table()).max() > 0


def test_compilation_is_turned_off_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model = our_model(optimizers.SGD(0.05), {"jit_compile": True})
    assert model.jit_compile is False
    fit(model, make_data(1))
    assert np.abs(table_of(model) - first_table()).max() > 0


def test_what_else_writes_the_anchor_is_noticed_by_the_next_lookup() -> None:
    model = our_model(optimizers.SGD(0.05))
    model.trainable_weights[0].assign(0.5)
    with pytest.raises(Exception, match=r"anchor of the layer.*must be written by Keras's optimizers only"):
        model.predict(make_data(1)[0], verbose=0)


def test_a_penalty_that_has_no_short_form_is_refused() -> None:
    with pytest.raises(ValueError, match="`embeddings_regularizer` must be None or L2"):
        fast.Embedding(ROWS, WIDTH, embeddings_regularizer=keras.regularizers.L1(0.1))


def test_ragged_bags_are_refused_with_the_way_out() -> None:
    if BACKEND != "tensorflow":
        pytest.skip("ragged tensors are TensorFlow's")
    import tensorflow as tf

    ids = tf.ragged.constant([[1, 2], [3]])
    with pytest.raises(TypeError, match=r"must have one length.*ids\.to_tensor\(-1\)"):
        fast.EmbeddingBag(ROWS, WIDTH)(ids)
    assert tuple(fast.EmbeddingBag(ROWS, WIDTH, padding_id=-1)(ids.to_tensor(-1)).shape) == (2, WIDTH)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 4), "`input_dim`"), ((4, 2.5), "`output_dim`"), ((4, 4, "unknown"), "initializer")],
    ids=str,
)
def test_arguments_of_a_wrong_kind_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        fast.Embedding(*arguments)


def test_an_unknown_way_of_updating_is_refused() -> None:
    with pytest.raises(ValueError, match="`update`"):
        fast.Embedding(4, 4, update="sometimes")


def test_a_half_precision_table_is_refused_with_the_mixed_policy() -> None:
    with pytest.raises(ValueError, match="mixed_float16"):
        fast.Embedding(4, 4, dtype="float16")


def test_replicas_are_refused() -> None:
    if BACKEND != "tensorflow":
        pytest.skip("tf.distribute is TensorFlow's")
    import tensorflow as tf

    with pytest.raises(ValueError, match=r"without replicas.*Received: a tf.distribute strategy of 2"):
        raise_in_replica(tf)


def raise_in_replica(tf: Any) -> None:
    """Look rows up in a strategy that claims two replicas."""
    strategy = tf.distribute.MirroredStrategy(["cpu:0"])
    layer = fast.Embedding(ROWS, WIDTH)
    with strategy.scope(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(strategy), "num_replicas_in_sync", 2)
        layer(np.array([1]))


def test_an_export_is_refused(tmp_path: Any) -> None:
    if BACKEND != "tensorflow":
        pytest.skip("models of torch are exported by torch")
    model = our_model("sgd")
    with pytest.raises(Exception, match=r"cannot be exported"):
        model.export(str(tmp_path / "model"), verbose=False)
