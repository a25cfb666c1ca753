#pragma once
#include <cstdint>
enum IRQn_Type : int { Reset_IRQn = -15 };
inline void NVIC_SetVector(IRQn_Type, uint32_t) {}
inline void NVIC_EnableIRQ(IRQn_Type) {}
