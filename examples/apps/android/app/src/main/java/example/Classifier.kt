// A picture to a label, by the Call.kt of an export. Not compiled by edgevit: its syntax is checked.
package example

import Call
import android.content.Context
import android.graphics.Bitmap
import android.graphics.Matrix
import java.io.File

/** The size that Call.kt names in its comment on pictures. */
private const val SIDE = 224

class Classifier(context: Context) : AutoCloseable {
    private val call = Call(copied(context, "model.tflite"))
    private val labels = context.assets.open("labels.txt").bufferedReader().readLines()

    fun label(picture: Bitmap, rotation: Int): String {
        val pixels = IntArray(SIDE * SIDE)
        squared(picture, rotation).getPixels(pixels, 0, SIDE, 0, 0, SIDE, SIDE)
        val result = call.run(call.prepare(pixels))[0].asFloatBuffer()
        val scores = FloatArray(result.remaining()).also { result.get(it) }
        val best = scores.indices.maxByOrNull { scores[it] } ?: return ""
        return labels.getOrElse(best) { "class $best" }
    }

    override fun close() = call.close()

    /** The middle square of the picture, upright and scaled. */
    private fun squared(picture: Bitmap, rotation: Int): Bitmap {
        val edge = minOf(picture.width, picture.height)
        val turn = Matrix().apply { postRotate(rotation.toFloat()) }
        val middle = Bitmap.createBitmap(
            picture, (picture.width - edge) / 2, (picture.height - edge) / 2, edge, edge, turn, true
        )
        return Bitmap.createScaledBitmap(middle, SIDE, SIDE, true)
    }

    /** The interpreter reads a file: assets are none. */
    private fun copied(context: Context, name: String): File {
        val file = File(context.filesDir, name)
        context.assets.open(name).use { source -> file.outputStream().use { source.copyTo(it) } }
        return file
    }
}
