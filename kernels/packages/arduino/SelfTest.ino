// SPDX-License-Identifier: Apache-2.0
// Runs the network again and again on the golden inputs, and says how long it takes. Written by edgevit.
#include <Arduino.h>

#include "edgevit_model.h"

#include "ev_example.h"

void setup()
{
    Serial.begin(115200);
}

void loop()
{
    const unsigned long start = micros();
    const int good = ev_example();
    Serial.print(micros() - start);
    Serial.println(good ? " us, golden ok" : " us, golden bad");
    delay(1000);
}
