// A camera picture with the model's label. Not compiled by edgevit: its syntax is checked.
package example

import android.Manifest
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.view.CameraController
import androidx.camera.view.LifecycleCameraController
import androidx.camera.view.PreviewView
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import androidx.compose.ui.viewinterop.AndroidView
import java.util.concurrent.Executors

class MainActivity : ComponentActivity() {
    private var label by mutableStateOf("starting")
    private val frames = Executors.newSingleThreadExecutor()
    private val classifier by lazy { Classifier(applicationContext) }
    private val controller by lazy { LifecycleCameraController(this) }

    private val ask = registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
        if (granted) start() else label = "no access to the camera"
    }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContent { LabelledCamera(controller, label) }
        ask.launch(Manifest.permission.CAMERA)
    }

    private fun start() {
        controller.cameraSelector = CameraSelector.DEFAULT_BACK_CAMERA
        controller.setEnabledUseCases(CameraController.IMAGE_ANALYSIS)
        controller.imageAnalysisBackpressureStrategy = ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST
        controller.setImageAnalysisAnalyzer(frames) { frame ->
            frame.use {
                val seen = classifier.label(it.toBitmap(), it.imageInfo.rotationDegrees)
                runOnUiThread { label = seen }
            }
        }
        controller.bindToLifecycle(this)
    }

    override fun onDestroy() {
        super.onDestroy()
        frames.execute { classifier.close() }
        frames.shutdown()
    }
}

@Composable
fun LabelledCamera(controller: LifecycleCameraController, label: String) {
    Box(Modifier.fillMaxSize(), contentAlignment = Alignment.BottomCenter) {
        AndroidView(
            factory = { context -> PreviewView(context).also { it.controller = controller } },
            modifier = Modifier.fillMaxSize(),
        )
        Surface(Modifier.padding(bottom = 48.dp), tonalElevation = 4.dp) {
            Text(label, Modifier.padding(16.dp))
        }
    }
}
