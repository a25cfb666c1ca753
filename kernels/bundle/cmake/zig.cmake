# SPDX-License-Identifier: Apache-2.0
# `zig cc` for @CORE@; -DEV_ZIG=/path/to/zig where it is not in the PATH. Written by edgevit.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR @ARCHITECTURE@)
find_program(EV_ZIG NAMES zig python-zig REQUIRED)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES EV_ZIG)
foreach(language C ASM)
  set(CMAKE_${language}_COMPILER ${EV_ZIG} cc)
  set(CMAKE_${language}_FLAGS_INIT "@ZIG_FLAGS@")
  set(CMAKE_${language}_ARCHIVE_CREATE "${EV_ZIG} ar qc <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_APPEND "${EV_ZIG} ar q <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_FINISH "${EV_ZIG} ranlib <TARGET>")
endforeach()
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
