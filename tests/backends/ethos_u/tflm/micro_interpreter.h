#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
union TfLitePtrUnion {
    void *data;
    int8_t *int8;
    int8_t *i8;
    float *f;
};
struct TfLiteTensor {
    TfLitePtrUnion data;
    size_t bytes;
};
namespace tflite {
struct Model {};
class MicroOpResolver {};
class MicroInterpreter {
public:
    MicroInterpreter(const Model *model, const MicroOpResolver &ops, uint8_t *arena, size_t arena_bytes);
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
};
}  // namespace tflite
