# A 32-bit big-endian CPU under qemu-user: what the host's byte order hides shows here.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR powerpc)
set(CMAKE_C_COMPILER powerpc-linux-gnu-gcc)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-ppc)
set(UPD_CORE_ONLY ON)
# Beside core/: what also goes on chips.
set(UPD_CROSS_FOLDERS device)
