#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "edgevit_net.h"
#include "ethosu_driver.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

static int8_t in[INPUT_BYTES], out[OUTPUT_BYTES];
static TfLiteTensor taken = {{in}, sizeof in}, returned = {{out}, sizeof out};

int ethosu_init(ethosu_driver *, void *base, const void *, size_t, unsigned, unsigned)
{
    std::printf("registers %p\n", base);
    return 0;
}
void ethosu_irq_handler(ethosu_driver *) {}

namespace tflite {
MicroInterpreter::MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *, size_t bytes) { std::printf("arena %zu\n", bytes); }
TfLiteStatus MicroInterpreter::AllocateTensors() { return kTfLiteOk; }
TfLiteTensor *MicroInterpreter::input(size_t) { return &taken; }
TfLiteTensor *MicroInterpreter::output(size_t) { return &returned; }
TfLiteStatus MicroInterpreter::Invoke()
{
    if (std::memcmp(in, edgevit_golden_input_0, sizeof in) != 0)
        return kTfLiteError;
    std::memcpy(out, edgevit_golden_output_0, sizeof out);
    out[0] ^= std::getenv("WRONG") != nullptr;
    return kTfLiteOk;
}
}  // namespace tflite
