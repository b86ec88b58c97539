"""Callbacks: objects that `fit`, `evaluate` and `predict` tell what they do, with the protocol and the names of Keras.

A callback of Keras itself works too, where all that it needs of a model is what models have here.
"""

from fastembed_layer.callbacks.callback import Callback
from fastembed_layer.callbacks.callback_list import CallbackList
from fastembed_layer.callbacks.csv_logger import CSVLogger
from fastembed_layer.callbacks.early_stopping import EarlyStopping
from fastembed_layer.callbacks.history import History
from fastembed_layer.callbacks.lambda_callback import LambdaCallback
from fastembed_layer.callbacks.learning_rate_scheduler import LearningRateScheduler
from fastembed_layer.callbacks.model_checkpoint import ModelCheckpoint
from fastembed_layer.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from fastembed_layer.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]
