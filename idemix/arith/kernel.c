/* Powers and products of powers modulo an odd number, for processors with AVX-512 IFMA.
 *
 * A number is an array of digits of 52 bits, the lowest first, in whole vectors of eight; digits beyond those of the modulus
 * are zero. Products are Montgomery's: of a and b, both below 2n, one gets some number below 2n that is a*b/R mod n, where
 * R = 2^(52 * digits) > 4n, so that nothing has to be subtracted in between. What comes in and goes out is bytes, the lowest first.
 *
 * Nothing branches on, or reads from a place that depends on, the bits of a base or of the exponent of kernel_power. Tables are
 * read at places that depend on the exponents of kernel_product; see docs/adr/0005-secret-exponents.md.
 *
 * Source: Montgomery, "Modular Multiplication Without Trial Division", 1985; Gueron and Krasnov, "Software Implementation of
 * Modular Exponentiation, Using Advanced Vector Instructions Architectures", WAIFI 2012, for redundant digits and operands below
 * 2n; Lim and Lee, "More Flexible Exponentiation with Precomputation", CRYPTO 1994, for tables.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define LANES 8
#define DIGIT_BITS 52
#define DIGIT_MASK ((UINT64_C(1) << DIGIT_BITS) - 1)
#define MOST_VECTORS 10
#define LINE 64

#define ON_IFMA __attribute__((target("avx512f,avx512dq,avx512vl,avx512ifma")))
#define INLINE static inline __attribute__((always_inline)) ON_IFMA

typedef __m512i vector;

/* What everything modulo n needs. */
typedef struct {
    uint64_t n[MOST_VECTORS * LANES];
    uint64_t r2[MOST_VECTORS * LANES]; /* R^2 mod n */
    uint64_t n_inverse;                /* -1/n mod 2^52 */
    int digits;
} modulus;

INLINE uint64_t lowest(vector value) { return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(value)); }

INLINE void load(int vectors, vector *value, const uint64_t *digits) {
    for (int j = 0; j < vectors; j++)
        value[j] = _mm512_loadu_si512(digits + LANES * j);
}

INLINE void store(int vectors, uint64_t *digits, const vector *value) {
    for (int j = 0; j < vectors; j++)
        _mm512_storeu_si512(digits + LANES * j, value[j]);
}

/* value = value * factor / R mod n, below 2n where both were; for `ways` values at once, modulo numbers of as many digits.
 *
 * Digit by digit of the factor. Lanes hold up to 2^60 before carries are taken, at the end; only the lowest one is needed in full
 * on the way, and is kept beside the vectors, in `low`. Each digit waits for the one before it; a second way fills that time where
 * the vectors are few.
 */
INLINE void multiply_ways(int ways, int vectors, const modulus *m, vector (*value)[MOST_VECTORS], const uint64_t *const *factor) {
    vector sum[2][MOST_VECTORS], n[2][MOST_VECTORS];
    const vector zero = _mm512_setzero_si512();
    uint64_t value_0[2], low[2] = {0, 0};

    for (int w = 0; w < ways; w++) {
        load(vectors, n[w], m[w].n);
        value_0[w] = lowest(value[w][0]);
        for (int j = 0; j < vectors; j++)
            sum[w][j] = zero;
    }
    for (int i = 0; i < m->digits; i++)
        for (int w = 0; w < ways; w++) {
            const uint64_t digit = factor[w][i];
            const unsigned __int128 product = (unsigned __int128)value_0[w] * digit;
            const uint64_t lowest_sum = low[w] + ((uint64_t)product & DIGIT_MASK);
            /* So many times n makes the lowest digit zero. */
            const uint64_t times = (lowest_sum * m[w].n_inverse) & DIGIT_MASK;
            const unsigned __int128 added = (unsigned __int128)m[w].n[0] * times;
            const uint64_t carry = (lowest_sum + ((uint64_t)added & DIGIT_MASK)) >> DIGIT_BITS;
            const vector digits = _mm512_set1_epi64((long long)digit), multiples = _mm512_set1_epi64((long long)times);

            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52lo_epu64(sum[w][j], value[w][j], digits);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52lo_epu64(sum[w][j], n[w][j], multiples);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_alignr_epi64(j + 1 < vectors ? sum[w][j + 1] : zero, sum[w][j], 1);
            low[w] = lowest(sum[w][0]) + carry + (uint64_t)(product >> DIGIT_BITS) + (uint64_t)(added >> DIGIT_BITS);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52hi_epu64(sum[w][j], value[w][j], digits);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52hi_epu64(sum[w][j], n[w][j], multiples);
        }
    for (int w = 0; w < ways; w++) {
        uint64_t digits[MOST_VECTORS * LANES], carry = 0;
        store(vectors, digits, sum[w]);
        digits[0] = low[w];
        for (int i = 0; i < LANES * vectors; i++) {
            carry += digits[i];
            digits[i] = carry & DIGIT_MASK;
            carry >>= DIGIT_BITS;
        }
        load(vectors, value[w], digits);
    }
}

INLINE void multiply(int vectors, const modulus *m, vector *value, const uint64_t *factor) {
    multiply_ways(1, vectors, m, (vector(*)[MOST_VECTORS])value, &factor);
}

INLINE void square(int vectors, const modulus *m, vector *value) {
    uint64_t digits[MOST_VECTORS * LANES];
    store(vectors, digits, value);
    multiply(vectors, m, value, digits);
}

/* Digits of 52 bits from bytes, and back. */
static void unpack(int count, uint64_t *digits, int digit_count, const uint8_t *bytes, size_t size) {
    memset(digits, 0, sizeof(uint64_t) * (size_t)count);
    for (size_t i = 0; i < size; i++) {
        const size_t bit = 8 * i, digit = bit / DIGIT_BITS, shift = bit % DIGIT_BITS;
        if (digit < (size_t)digit_count)
            digits[digit] |= ((uint64_t)bytes[i] << shift) & DIGIT_MASK;
        if (shift > DIGIT_BITS - 8 && digit + 1 < (size_t)digit_count)
            digits[digit + 1] |= (uint64_t)bytes[i] >> (DIGIT_BITS - shift);
    }
}

static void pack(const uint64_t *digits, int digit_count, uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        const size_t bit = 8 * i, digit = bit / DIGIT_BITS, shift = bit % DIGIT_BITS;
        uint64_t value = digit < (size_t)digit_count ? digits[digit] >> shift : 0;
        if (shift > DIGIT_BITS - 8 && digit + 1 < (size_t)digit_count)
            value |= digits[digit + 1] << (DIGIT_BITS - shift);
        bytes[i] = (uint8_t)value;
    }
}

static void prepare(modulus *m, int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size) {
    m->digits = digits;
    unpack(vectors * LANES, m->n, digits, n, size);
    unpack(vectors * LANES, m->r2, digits, r2, size);
    uint64_t inverse = 1; /* Newton's iteration doubles the bits that are right; the first is, for an odd n. */
    for (int bits = 1; bits < 64; bits *= 2)
        inverse *= 2 - m->n[0] * inverse;
    m->n_inverse = (0 - inverse) & DIGIT_MASK;
}

/* value = 1, in Montgomery's form. */
INLINE void set_one(int vectors, const modulus *m, vector *value) {
    const uint64_t one[MOST_VECTORS * LANES] = {1};
    load(vectors, value, m->r2);
    multiply(vectors, m, value, one);
}

INLINE void read_number(int vectors, const modulus *m, vector *value, const uint8_t *bytes, size_t size) {
    uint64_t digits[MOST_VECTORS * LANES];
    unpack(vectors * LANES, digits, m->digits, bytes, size);
    load(vectors, value, digits);
    multiply(vectors, m, value, m->r2);
}

/* The product with 1/R is at most n, and n only where the number is a multiple of it: the caller takes the remainder. */
INLINE void write_number(int vectors, const modulus *m, vector *value, uint8_t *bytes, size_t size) {
    const uint64_t one[MOST_VECTORS * LANES] = {1};
    uint64_t digits[MOST_VECTORS * LANES];
    multiply(vectors, m, value, one);
    store(vectors, digits, value);
    pack(digits, m->digits, bytes, size);
}

/* Bits of an exponent, from `start` on. */
INLINE unsigned bits_of(const uint8_t *exponent, size_t start, unsigned count) {
    unsigned bits = 0;
    for (unsigned i = 0; i < count; i++)
        bits |= (unsigned)(exponent[(start + i) / 8] >> ((start + i) % 8) & 1) << i;
    return bits;
}

#define MOST_WINDOW 5

/* Windows of equal width from the highest bit down; each costs its squarings and one multiplication, whatever its bits.
 *
 * Of `ways` powers at once, bases, exponents and results follow each other: numbers of `size` bytes, exponents of whole bytes.
 */
INLINE void power(int ways, int vectors, const modulus *m, const uint8_t *bases, const uint8_t *exponents, size_t exponent_bits,
                  uint8_t *results, size_t size) {
    const unsigned width = exponent_bits > 512 ? MOST_WINDOW : exponent_bits > 24 ? 4 : 1;
    uint64_t powers[2][1 << MOST_WINDOW][MOST_VECTORS * LANES], factors[2][MOST_VECTORS * LANES];
    const uint64_t *const factor[2] = {factors[0], factors[1]};
    vector value[2][MOST_VECTORS];

    for (int w = 0; w < ways; w++) {
        set_one(vectors, &m[w], value[w]);
        store(vectors, powers[w][0], value[w]);
        read_number(vectors, &m[w], value[w], bases + (size_t)w * size, size);
        store(vectors, powers[w][1], value[w]);
        for (unsigned i = 2; i < 1u << width; i++) {
            multiply(vectors, &m[w], value[w], powers[w][1]);
            store(vectors, powers[w][i], value[w]);
        }
        load(vectors, value[w], powers[w][0]);
    }
    for (size_t window = (exponent_bits + width - 1) / width; window-- > 0;) {
        const size_t start = window * width;
        const unsigned count = exponent_bits - start < width ? (unsigned)(exponent_bits - start) : width;

        for (unsigned i = 0; i < width; i++) {
            for (int w = 0; w < ways; w++)
                store(vectors, factors[w], value[w]);
            multiply_ways(ways, vectors, m, value, factor);
        }
        /* All powers are read in full, so that neither the cache nor a load that is left out tells which was taken. */
        for (int w = 0; w < ways; w++) {
            const uint8_t *exponent = exponents + (size_t)w * ((exponent_bits + 7) / 8);
            const vector wanted = _mm512_set1_epi64((long long)bits_of(exponent, start, count));
            vector chosen[MOST_VECTORS];
            for (int j = 0; j < vectors; j++)
                chosen[j] = _mm512_setzero_si512();
            for (unsigned i = 0; i < 1u << width; i++) {
                const vector kept = _mm512_movm_epi64(_mm512_cmpeq_epi64_mask(wanted, _mm512_set1_epi64((long long)i)));
                for (int j = 0; j < vectors; j++)
                    chosen[j] = _mm512_or_si512(chosen[j], _mm512_and_si512(kept, _mm512_loadu_si512(powers[w][i] + LANES * j)));
            }
            store(vectors, factors[w], chosen);
        }
        multiply_ways(ways, vectors, m, value, factor);
    }
    for (int w = 0; w < ways; w++)
        write_number(vectors, &m[w], value[w], results + (size_t)w * size, size);
}

/* The 2^teeth products of the powers base^(2^(columns * t)), 0 <= t < teeth; `next` becomes base^(2^(columns * teeth)). */
INLINE void table(int vectors, const modulus *m, const uint8_t *base, unsigned teeth, unsigned columns, uint64_t *entries, uint8_t *next,
                  size_t size) {
    const size_t width = (size_t)vectors * LANES;
    vector power[MOST_VECTORS], value[MOST_VECTORS];
    uint64_t factor[MOST_VECTORS * LANES];

    set_one(vectors, m, value);
    store(vectors, entries, value);
    read_number(vectors, m, power, base, size);
    for (unsigned tooth = 0; tooth < teeth; tooth++) {
        store(vectors, factor, power);
        for (size_t i = 0; i < (size_t)1 << tooth; i++) {
            load(vectors, value, entries + i * width);
            multiply(vectors, m, value, factor);
            store(vectors, entries + (i + ((size_t)1 << tooth)) * width, value);
        }
        for (unsigned i = 0; i < columns; i++)
            square(vectors, m, power);
    }
    write_number(vectors, m, power, next, size);
}

/* One table and the part of an exponent that it serves: bits start + column + columns * tooth. */
typedef struct {
    const uint64_t *entries;
    uint32_t exponent;      /* where it begins among the exponents */
    uint32_t exponent_bits; /* those beyond are zero */
    uint32_t start;
    uint32_t teeth;
    uint32_t columns;
} term;

INLINE const uint64_t *entry_of(int vectors, const term *t, const uint8_t *exponents, unsigned column) {
    const uint8_t *exponent = exponents + t->exponent;
    size_t index = 0;
    for (unsigned tooth = 0; tooth < t->teeth; tooth++) {
        const size_t bit = t->start + column + (size_t)t->columns * tooth;
        if (bit < t->exponent_bits)
            index |= (size_t)(exponent[bit / 8] >> (bit % 8) & 1) << tooth;
    }
    const uint64_t *entry = t->entries + index * (size_t)vectors * LANES;
    for (const char *line = (const char *)entry; line < (const char *)(entry + vectors * LANES); line += LINE)
        __builtin_prefetch(line);
    return entry;
}

#define AHEAD 4

/* From the highest column down; all tables share the squarings. Entries are asked for ahead, since they lie all over the memory. */
INLINE void product(int vectors, const modulus *m, const term *terms, size_t count, const uint8_t *exponents, uint8_t *result,
                    size_t size) {
    const uint64_t *coming[AHEAD];
    size_t read = 0, asked = 0;
    unsigned columns = 0;
    vector value[MOST_VECTORS];

    for (size_t i = 0; i < count; i++)
        if (terms[i].columns > columns)
            columns = terms[i].columns;
    set_one(vectors, m, value);
    size_t next = 0;
    unsigned next_column = columns;
    for (unsigned column = columns; column-- > 0;) {
        square(vectors, m, value);
        for (size_t i = 0; i < count; i++) {
            if (column >= terms[i].columns)
                continue;
            while (asked < read + AHEAD && next_column > 0) {
                if (next_column - 1 < terms[next].columns)
                    coming[asked++ % AHEAD] = entry_of(vectors, &terms[next], exponents, next_column - 1);
                if (++next == count) {
                    next = 0;
                    next_column--;
                }
            }
            multiply(vectors, m, value, coming[read++ % AHEAD]);
        }
    }
    write_number(vectors, m, value, result, size);
}

/* Fermat's test for eight numbers at once: lane k of every vector belongs to number k, and vector j holds the digits j. */

#define MOST_LANE_DIGITS 40

typedef struct {
    vector n[MOST_LANE_DIGITS];
    vector n_inverse;
    int digits;
} eight_moduli;

/* value = (value * factor / R mod n) * 2^doublings. Factors are below 4n, and R above 16n, so that the product is below 2n. */
ON_IFMA static void multiply_eight(const eight_moduli *m, vector *value, const vector *factor, vector doublings) {
    const vector zero = _mm512_setzero_si512(), mask = _mm512_set1_epi64((long long)DIGIT_MASK);
    const int digits = m->digits;
    vector sum[2 * MOST_LANE_DIGITS + 1], carry = zero;

    for (int i = 0; i <= 2 * digits; i++)
        sum[i] = zero;
    for (int i = 0; i < digits; i++) {
        const vector digit = factor[i];
        vector *at = sum + i;
        at[0] = _mm512_madd52lo_epu64(at[0], value[0], digit);
        const vector times = _mm512_madd52lo_epu64(zero, at[0], m->n_inverse);
        at[0] = _mm512_madd52lo_epu64(at[0], m->n[0], times);
        at[1] = _mm512_add_epi64(at[1], _mm512_srli_epi64(at[0], DIGIT_BITS));
        for (int j = 1; j < digits; j++) {
            vector one = _mm512_madd52lo_epu64(at[j], value[j], digit), other = _mm512_madd52lo_epu64(zero, m->n[j], times);
            one = _mm512_madd52hi_epu64(one, value[j - 1], digit);
            other = _mm512_madd52hi_epu64(other, m->n[j - 1], times);
            at[j] = _mm512_add_epi64(one, other);
        }
        at[digits] = _mm512_madd52hi_epu64(at[digits], value[digits - 1], digit);
        at[digits] = _mm512_madd52hi_epu64(at[digits], m->n[digits - 1], times);
    }
    for (int j = 0; j < digits; j++) {
        carry = _mm512_add_epi64(carry, _mm512_sllv_epi64(sum[digits + j], doublings));
        value[j] = _mm512_and_si512(carry, mask);
        carry = _mm512_srli_epi64(carry, DIGIT_BITS);
    }
}

/* The digits of eight numbers of `size` bytes each. */
ON_IFMA static void read_eight(int digits, vector *value, const uint8_t *bytes, size_t size) {
    uint64_t lanes[MOST_LANE_DIGITS][LANES], one[MOST_LANE_DIGITS];
    for (int k = 0; k < LANES; k++) {
        unpack(digits, one, digits, bytes + (size_t)k * size, size);
        for (int j = 0; j < digits; j++)
            lanes[j][k] = one[j];
    }
    for (int j = 0; j < digits; j++)
        value[j] = _mm512_loadu_si512(lanes[j]);
}

/* Bit k of the result tells whether 2^(n-1) = 1 mod n for number k. The numbers are odd, and `ones` holds R mod n of each. */
ON_IFMA static unsigned fermat(int digits, const uint8_t *numbers, const uint8_t *ones, size_t size) {
    const vector zero = _mm512_setzero_si512();
    eight_moduli m = {.digits = digits};
    vector value[MOST_LANE_DIGITS], one[MOST_LANE_DIGITS], different = zero, inverse = _mm512_set1_epi64(1);

    read_eight(digits, m.n, numbers, size);
    for (int bits = 1; bits < DIGIT_BITS; bits *= 2) {
        const vector product = _mm512_madd52lo_epu64(zero, m.n[0], inverse);
        inverse = _mm512_madd52lo_epu64(zero, inverse, _mm512_sub_epi64(_mm512_set1_epi64(2), product));
    }
    m.n_inverse = _mm512_and_si512(_mm512_sub_epi64(zero, inverse), _mm512_set1_epi64((long long)DIGIT_MASK));
    read_eight(digits, value, ones, size);
    for (size_t bit = 8 * size; bit-- > 0;) {
        /* n-1 is n but for the lowest bit. */
        const vector doublings =
            bit == 0 ? zero
                     : _mm512_and_si512(_mm512_srli_epi64(m.n[bit / DIGIT_BITS], (unsigned)(bit % DIGIT_BITS)), _mm512_set1_epi64(1));
        multiply_eight(&m, value, value, doublings);
    }
    for (int j = 0; j < digits; j++)
        one[j] = _mm512_set1_epi64(j == 0);
    multiply_eight(&m, value, one, zero);
    for (int j = 0; j < digits; j++)
        different = _mm512_or_si512(different, _mm512_xor_si512(value[j], one[j]));
    return _mm512_cmpeq_epi64_mask(different, zero);
}

#define FOR_EACH_SIZE(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10)

#define INSTANCE(V)                                                                                                                \
    ON_IFMA static void power_##V(int ways, const modulus *m, const uint8_t *bases, const uint8_t *exponents, size_t exponent_bits, \
                                  uint8_t *results, size_t size) {                                                                 \
        if (ways == 1)                                                                                                             \
            power(1, V, m, bases, exponents, exponent_bits, results, size);                                                        \
        else                                                                                                                       \
            power(2, V, m, bases, exponents, exponent_bits, results, size);                                                        \
    }                                                                                                                              \
    ON_IFMA static void table_##V(const modulus *m, const uint8_t *base, unsigned teeth, unsigned columns, uint64_t *entries,      \
                                  uint8_t *next, size_t size) {                                                                    \
        table(V, m, base, teeth, columns, entries, next, size);                                                                    \
    }                                                                                                                              \
    ON_IFMA static void product_##V(const modulus *m, const term *terms, size_t count, const uint8_t *exponents, uint8_t *result,  \
                                    size_t size) {                                                                                 \
        product(V, m, terms, count, exponents, result, size);                                                                      \
    }
FOR_EACH_SIZE(INSTANCE)

int kernel_runs_here(void) { return __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"); }

/* One power, or two at once modulo numbers of as many digits; what belongs to the second follows what belongs to the first. */
void kernel_power(int ways, int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size, const uint8_t *bases,
                  const uint8_t *exponents, size_t exponent_bits, uint8_t *results) {
    modulus m[2];
    for (int w = 0; w < ways; w++)
        prepare(&m[w], vectors, digits, n + (size_t)w * size, r2 + (size_t)w * size, size);
    switch (vectors) {
#define CASE(V)                                                                                                                    \
    case V:                                                                                                                        \
        power_##V(ways, m, bases, exponents, exponent_bits, results, size);                                                        \
        break;
        FOR_EACH_SIZE(CASE)
#undef CASE
    }
}

void kernel_table(int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size, const uint8_t *base, unsigned teeth,
                  unsigned columns, uint64_t *entries, uint8_t *next) {
    modulus m;
    prepare(&m, vectors, digits, n, r2, size);
    switch (vectors) {
#define CASE(V)                                                                                                                    \
    case V:                                                                                                                        \
        table_##V(&m, base, teeth, columns, entries, next, size);                                                                  \
        break;
        FOR_EACH_SIZE(CASE)
#undef CASE
    }
}

void kernel_product(int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size, const term *terms, size_t count,
                    const uint8_t *exponents, uint8_t *result) {
    modulus m;
    prepare(&m, vectors, digits, n, r2, size);
    switch (vectors) {
#define CASE(V)                                                                                                                    \
    case V:                                                                                                                        \
        product_##V(&m, terms, count, exponents, result, size);                                                                               \
        break;
        FOR_EACH_SIZE(CASE)
#undef CASE
    }
}

unsigned kernel_fermat(int digits, const uint8_t *numbers, const uint8_t *ones, size_t size) { return fermat(digits, numbers, ones, size); }

#else

int kernel_runs_here(void) { return 0; }

#endif
