# The ESP8266's CPU, with no operating system below: programs are linked with tests/bare/ and run by
# qemu-system-xtensa. Code is compiled as for the chip, so that sizes and stacks measured here count.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR lx106)
set(CMAKE_C_COMPILER xtensa-lx106-elf-gcc)
set(CMAKE_ASM_COMPILER xtensa-lx106-elf-gcc)
# A test program of CMake itself cannot be linked before tests/bare/ exists.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# Without -g: with it the linker cannot shorten calls, and what it links is 4 % larger.
# -fcallgraph-info: the stack that each function needs, and whom it calls, for tests/sizes.py.
set(CMAKE_C_FLAGS_INIT "-ffreestanding -mlongcalls -mtext-section-literals -ffunction-sections -fdata-sections")
string(APPEND CMAKE_C_FLAGS_INIT " -fstack-usage -fcallgraph-info=su")
set(CMAKE_ASM_FLAGS_INIT "-mlongcalls -mtext-section-literals")
set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/../tests/bare/run)
set(UPD_CORE_ONLY ON)
# Beside core/: what also goes on chips.
set(UPD_CROSS_FOLDERS device boot firmware)
set(UPD_BARE ON)
