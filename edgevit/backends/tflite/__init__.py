"""TensorFlow Lite files (`.tflite`): written by litert-torch, run by LiteRT's interpreter."""
