/* What one core can do at most, as an oracle for `foveal doctor --roofline`; x86-64 with AVX-512, VNNI and BF16.
 *
 *     gcc -O2 benchmarks/peak_loop.c -o peak_loop && ./peak_loop
 *
 * The clock: a chain of dependent multiplications of integers, 3 cycles each. The peaks: ten independent chains
 * of the instruction and nothing else. Windows are a fraction of a millisecond, so that the best of many is one
 * that nobody disturbed.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define WINDOWS 3000
#define ONE(op, n) op " %%zmm10, %%zmm10, %%zmm" #n "\n"
#define TEN(op) \
    ONE(op, 0) ONE(op, 1) ONE(op, 2) ONE(op, 3) ONE(op, 4) ONE(op, 5) ONE(op, 6) ONE(op, 7) ONE(op, 8) ONE(op, 9)
#define CHANGED "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

#define BEST(name, per_turn, turns, code)                                     \
    static double name(void) {                                                \
        double best = 0;                                                      \
        for (int window = 0; window < WINDOWS; window++) {                    \
            uint64_t x = 3;                                                   \
            double start = now();                                             \
            for (int turn = 0; turn < (turns); turn++) { code; }              \
            double rate = (double)(per_turn) * (turns) / (now() - start);     \
            if (rate > best) best = rate;                                     \
            __asm__ volatile("" : "+r"(x));                                   \
        }                                                                     \
        return best / 1e9;                                                    \
    }

BEST(clock_ghz, 3 * 4, 50000,
     __asm__ volatile("imul %0, %0\nimul %0, %0\nimul %0, %0\nimul %0, %0\n" : "+r"(x)))
BEST(fp32, 10 * 16, 10000, __asm__ volatile(TEN("vfmadd231ps")::: CHANGED))
BEST(bf16, 10 * 32, 10000, __asm__ volatile(TEN("vdpbf16ps")::: CHANGED))
BEST(int8, 10 * 64, 10000, __asm__ volatile(TEN("vpdpbusd")::: CHANGED))

int main(void) {
    double clock = clock_ghz();
    printf("clock %.3f GHz\n", clock);
    const char *names[] = {"fp32", "bf16", "int8"};
    double (*peaks[])(void) = {fp32, bf16, int8};
    for (int i = 0; i < 3; i++) {
        double rate = peaks[i]();
        printf("%s %.1f G multiply-adds/s, %.1f a cycle\n", names[i], rate, rate / clock);
    }
    return 0;
}
